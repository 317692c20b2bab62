DROP TABLE IF EXISTS sandbox_orders.t, orders.daily CASCADE;
