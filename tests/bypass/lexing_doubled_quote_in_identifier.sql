SELECT 1 AS "a""; SELECT 1 AS b"; DELETE FROM orders.daily;
