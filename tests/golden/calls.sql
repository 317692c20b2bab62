SELECT lower('A'), count(*) FROM orders.daily;
SELECT pg_terminate_backend(1);
SELECT set_config('search_path', 'orders', false);
SELECT sandbox_orders.mine();
CALL sandbox_orders.refresh();
DO $$ BEGIN NULL; END $$;
