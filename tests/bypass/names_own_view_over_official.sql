CREATE VIEW sandbox_orders.v AS SELECT * FROM orders.daily; DELETE FROM sandbox_orders.v;
