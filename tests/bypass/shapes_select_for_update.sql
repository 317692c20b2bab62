SELECT * FROM orders.daily FOR UPDATE;
