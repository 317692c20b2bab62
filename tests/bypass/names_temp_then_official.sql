CREATE TEMP TABLE daily (n int); DELETE FROM orders.daily;
