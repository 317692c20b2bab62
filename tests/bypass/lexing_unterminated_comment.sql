SELECT 1 /* and more; DELETE FROM orders.daily
