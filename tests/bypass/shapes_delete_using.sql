DELETE FROM orders.daily USING sandbox_orders.t WHERE true;
