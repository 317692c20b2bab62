SELECT 1 +-- 2
 3; DELETE FROM orders.daily;
