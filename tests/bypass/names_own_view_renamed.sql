CREATE VIEW sandbox_orders.v AS SELECT * FROM orders.daily; ALTER TABLE sandbox_orders.v RENAME TO w; DELETE FROM sandbox_orders.w;
