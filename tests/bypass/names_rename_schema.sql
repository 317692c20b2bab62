ALTER SCHEMA sandbox_orders RENAME TO orders_mart;
