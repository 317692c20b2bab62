ALTER TABLE orders.daily SET SCHEMA sandbox_orders;
