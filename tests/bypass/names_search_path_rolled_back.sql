SET search_path TO orders; BEGIN; SET search_path TO sandbox_orders; ROLLBACK; DELETE FROM daily;
