CREATE TABLE sandbox_orders.x (LIKE orders.daily INCLUDING ALL);
