PREPARE p AS SELECT * INTO orders.x FROM orders.daily;
