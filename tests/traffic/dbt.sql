-- as: dbt_prod
-- dbt-redshift's macros as its account sends them: relations, catalog, a table, a swap, a view, a test, an incremental load.
set query_group to 'dbt';
/* {"app": "dbt", "dbt_version": "1.8.2", "profile_name": "opetence", "target_name": "prod", "connection_name": "list_dev"} */ select distinct nspname from pg_namespace;
select table_catalog as database, table_name as name, table_schema as schema, 'table' as type from information_schema.tables where table_schema ilike 'orders_mart' and table_type = 'BASE TABLE' union all select table_catalog as database, table_name as name, table_schema as schema, case when view_definition ilike '%create materialized view%' then 'materialized_view' else 'view' end as type from information_schema.views where table_schema ilike 'orders_mart';
with bound_views as (select ordinal_position, table_schema, column_name, data_type, character_maximum_length from information_schema."columns" where table_name = 'daily'), unbound_views as (select ordinal_position, view_schema, col_name, case when col_type ilike 'character varying%' then 'character varying' else col_type end as col_type from pg_get_late_binding_view_cols() cols(view_schema name, view_name name, col_name name, col_type varchar, ordinal_position int) where view_name = 'daily'), unioned as (select * from bound_views union all select ordinal_position, view_schema, col_name, col_type, null from unbound_views) select * from unioned order by ordinal_position;
BEGIN;
create table "dev"."orders_mart"."daily__dbt_tmp" diststyle key distkey (order_id) compound sortkey(ordered_at) as (with src as (select * from "dev"."orders"."orders") select order_id, ordered_at, count(*) over (partition by status) as n from src);
alter table "dev"."orders_mart"."daily" rename to "daily__dbt_backup";
alter table "dev"."orders_mart"."daily__dbt_tmp" rename to "daily";
COMMIT;
drop table if exists "dev"."orders_mart"."daily__dbt_backup" cascade;
create view "dev"."orders_mart"."v__dbt_tmp" as (select * from "dev"."orders_mart"."daily") with no schema binding;
comment on table "dev"."orders_mart"."daily" is $dbt_comment_literal_block$One row a day$dbt_comment_literal_block$;
create temporary table "inc__dbt_tmp20260101" as (select * from "dev"."orders"."orders" where ordered_at > (select max(ordered_at) from "dev"."orders_mart"."inc"));
delete from "dev"."orders_mart"."inc" where (order_id) in (select (order_id) from "inc__dbt_tmp20260101");
insert into "dev"."orders_mart"."inc" ("order_id", "ordered_at") (select "order_id", "ordered_at" from "inc__dbt_tmp20260101");
select count(*) as failures, count(*) != 0 as should_warn, count(*) != 0 as should_error from (select order_id from "dev"."orders_mart"."daily" where order_id is null) dbt_internal_test;
truncate "dev"."orders_mart"."seeded";
analyze "dev"."orders_mart"."daily";
vacuum "dev"."orders_mart"."daily";
refresh materialized view "dev"."orders_mart"."mv";
select pg_backend_pid();
