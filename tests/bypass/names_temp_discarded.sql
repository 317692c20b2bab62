SET search_path TO orders; CREATE TEMP TABLE daily (n int); DISCARD TEMP; DELETE FROM daily;
