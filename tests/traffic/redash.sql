-- as: redash
-- Redash's Redshift runner (getredash/redash, query_runner/pg.py): connection test, schema refresh, a query with its preamble, the automatic limit.
SELECT 1;
WITH tables AS (
    SELECT DISTINCT table_name, table_schema, column_name, ordinal_position AS pos
    FROM svv_columns
    WHERE table_schema NOT IN ('pg_internal', 'pg_catalog', 'information_schema') AND table_schema NOT LIKE 'pg_temp_%'
)
SELECT table_name, table_schema, column_name
FROM tables
WHERE HAS_SCHEMA_PRIVILEGE(table_schema, 'USAGE')
    AND (table_schema IN (SELECT schemaname FROM SVV_EXTERNAL_SCHEMAS)
        OR HAS_TABLE_PRIVILEGE('"' || table_schema || '"."' || table_name || '"', 'SELECT'))
ORDER BY table_name, pos;
set query_group to default;
/* Username: ana@opetence.example, query_id: 42, Queue: queries, Job ID: 5f0c, Query Hash: 9e107d9d372bb6826bd81d3542a419d6, Scheduled: False */ SELECT status, count(*) FROM orders.orders GROUP BY 1 LIMIT 1000;
/* query_id: 7, Username: Scheduled, Queue: scheduled_queries, Scheduled: True */ WITH recent AS (SELECT * FROM orders.orders WHERE ordered_at > dateadd(day, -7, getdate())) SELECT * FROM recent;
