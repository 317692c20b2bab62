DO $$ BEGIN DELETE FROM orders.daily; END $$;
