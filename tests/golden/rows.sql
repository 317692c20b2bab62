INSERT INTO orders.daily SELECT * FROM orders.orders;
INSERT INTO sandbox_orders.daily SELECT * FROM orders.daily;
UPDATE sandbox_users.t SET a = 1;
DELETE FROM orders_mart.revenue;
TRUNCATE finances.invoices;
WITH gone AS (DELETE FROM orders.daily RETURNING *) SELECT * FROM gone;
COPY sandbox_orders.daily FROM STDIN;
MERGE INTO orders.daily USING sandbox_orders.fixes f ON orders.daily.day = f.day WHEN MATCHED THEN UPDATE SET total = f.total WHEN NOT MATCHED THEN INSERT VALUES (f.day, f.total);
INSERT INTO public.t VALUES (1);
