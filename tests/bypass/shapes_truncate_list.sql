TRUNCATE sandbox_orders.t, orders.daily;
