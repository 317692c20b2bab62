ALTER TABLE orders.daily APPEND FROM sandbox_orders.t;
