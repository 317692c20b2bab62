SET search_path TO orders; BEGIN; SAVEPOINT "S"; SET search_path TO sandbox_orders; SAVEPOINT s; ROLLBACK TO "S"; DELETE FROM daily;
