/* SELECT 1 */ -- SELECT 2
DELETE FROM orders.daily;
