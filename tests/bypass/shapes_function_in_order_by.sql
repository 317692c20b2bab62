SELECT 1 ORDER BY sandbox_orders.wipe_daily();
