EXPLAIN (VERBOSE, ANALYZE ON, FORMAT json) UPDATE orders.daily SET total = 1;
