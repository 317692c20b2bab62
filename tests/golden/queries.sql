SELECT * FROM orders.daily;
SELECT o.day, count(*) FROM orders.orders o JOIN users.users u USING (user_id) GROUP BY 1 ORDER BY 2 DESC LIMIT 10;
WITH recent AS (SELECT * FROM orders.orders WHERE day > '2026-01-01') SELECT lower(status) FROM recent;
EXPLAIN SELECT * FROM finances.invoices;
EXPLAIN ANALYZE DELETE FROM orders.daily;
SELECT "delete" FROM pg_catalog.pg_class;
SHOW search_path;
SELECT 1 OPERATOR(pg_catalog.+) 2;
