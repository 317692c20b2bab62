CREATE TABLE sandbox_orders.t (id int DEFAULT sandbox_orders.wipe_daily());
