CREATE TABLE sandbox_orders.x (a int, b text DEFAULT orders.lower('x'));
