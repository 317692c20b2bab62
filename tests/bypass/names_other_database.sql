DELETE FROM prod.sandbox_orders.t;
