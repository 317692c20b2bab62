ALTER TABLE sandbox_orders.t SET SCHEMA orders;
