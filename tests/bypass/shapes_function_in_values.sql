VALUES (sandbox_orders.wipe_daily());
