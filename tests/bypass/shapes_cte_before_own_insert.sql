WITH moved AS (DELETE FROM orders.daily RETURNING *) INSERT INTO sandbox_orders.kept SELECT * FROM moved;
