SET search_path TO orders; BEGIN; SAVEPOINT s; SET search_path TO sandbox_orders; ROLLBACK TO s; DELETE FROM daily;
