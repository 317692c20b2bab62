SET search_path TO sandbox_orders; PREPARE "P" AS DELETE FROM daily; PREPARE p AS SELECT 1; SET search_path TO orders; EXECUTE "P";
