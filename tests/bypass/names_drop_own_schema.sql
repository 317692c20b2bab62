DROP SCHEMA sandbox_orders CASCADE;
