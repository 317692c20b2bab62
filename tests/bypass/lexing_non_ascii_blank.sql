DELETE FROM orders.daily;
