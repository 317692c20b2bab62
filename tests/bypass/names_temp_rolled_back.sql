SET search_path TO orders; BEGIN; CREATE TEMP TABLE daily (n int); ROLLBACK; DELETE FROM daily;
