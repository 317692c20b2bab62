CREATE OR REPLACE VIEW sandbox_orders.v AS SELECT 1 OPERATOR(sandbox_orders.+) 2 AS n;
