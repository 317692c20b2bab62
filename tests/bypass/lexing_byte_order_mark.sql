DELETE FROM orders.daily;
