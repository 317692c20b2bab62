SET search_path TO sandbox_orders; BEGIN; SET search_path TO orders; TRUNCATE sandbox_orders.t; ROLLBACK; DELETE FROM daily;
