SELECT 1 LIMIT sandbox_orders.wipe_daily();
