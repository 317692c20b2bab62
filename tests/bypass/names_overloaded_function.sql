SET search_path TO sandbox_orders, pg_catalog; SELECT lower('X');
