INSERT INTO sandbox_orders.t VALUES (1) RETURNING sandbox_orders.wipe_daily();
