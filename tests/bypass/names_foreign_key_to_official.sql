CREATE TABLE sandbox_orders.t (day date REFERENCES orders.daily ON DELETE CASCADE);
