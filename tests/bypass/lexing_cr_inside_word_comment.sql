--DELETE FROM orders.daily;
