VACUUM sandbox_orders.t;
ANALYZE orders.daily;
VACUUM;
LOCK TABLE orders.daily;
LOCK TABLE sandbox_orders.t;
CANCEL 4711;
