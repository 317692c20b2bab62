-- as: tableau
-- Tableau by Redshift's ODBC driver: probes at connect, initial SQL, catalog reads, cursors, pushed-down aggregates.
SET app_context.user_id TO 'ana@opetence.example';
select current_schema();
show "lc_collate";
SELECT * INTO TEMPORARY TABLE "#Tableau_5_1_Connect" FROM (SELECT 1 AS COL) AS CHECKTEMP LIMIT 1;
DROP TABLE "#Tableau_5_1_Connect";
CREATE LOCAL TEMPORARY TABLE "#Tableau_5_2_Connect" ("COL" INTEGER) ON COMMIT PRESERVE ROWS;
DROP TABLE "#Tableau_5_2_Connect";
SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname;
select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n where relkind in ('r', 'v', 'm', 'f', 'p') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') and n.oid = relnamespace order by nspname, relname;
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid) from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname like 'orders' and n.nspname like 'orders') inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum;
SELECT "orders"."status" AS "status", SUM("orders"."amount") AS "sum:amount:ok", (CASE WHEN COUNT(1) > 0 THEN TRUE ELSE FALSE END) AS "any" FROM "orders"."orders" "orders" GROUP BY 1 HAVING (COUNT(1) > 0);
SELECT DATE_TRUNC('MONTH', CAST("t0"."ordered_at" AS TIMESTAMP WITHOUT TIME ZONE)) AS "tmn:ordered_at:ok" FROM (SELECT * FROM orders.orders) "t0" WHERE ("t0"."ordered_at" >= (TIMESTAMP '2026-01-01 00:00:00.000')) GROUP BY 1;
BEGIN;
declare "SQL_CUR0x7f8a1c00" cursor with hold for SELECT * FROM orders.orders;
fetch 10000 in "SQL_CUR0x7f8a1c00";
fetch 10000 in "SQL_CUR0x7f8a1c00";
close "SQL_CUR0x7f8a1c00";
COMMIT;
