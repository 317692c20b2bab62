SET search_path TO orders; BEGIN; CREATE TEMP TABLE daily (n int) ON COMMIT DROP; COMMIT; DELETE FROM daily;
