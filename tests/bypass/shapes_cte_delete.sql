WITH gone AS (DELETE FROM orders.daily RETURNING *) SELECT count(*) FROM gone;
