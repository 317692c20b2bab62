SELECT 1 AS "o'clock"; DELETE FROM orders.daily; SELECT 1 AS "o'clock";
