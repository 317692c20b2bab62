CREATE TABLE sandbox_orders.child () INHERITS (orders.daily);
