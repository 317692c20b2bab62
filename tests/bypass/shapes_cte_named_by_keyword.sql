WITH "select" AS (DELETE FROM orders.daily RETURNING 1) SELECT * FROM "select";
