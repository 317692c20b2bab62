ALTER TABLE orders.daily ATTACH PARTITION sandbox_orders.t DEFAULT;
