SELECT * FROM sandbox_orders.wipe_daily() AS w;
