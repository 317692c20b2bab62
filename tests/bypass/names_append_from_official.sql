ALTER TABLE sandbox_orders.t APPEND FROM orders.daily;
