SET search_path TO orders; CREATE TEMP TABLE daily (n int); DROP TABLE daily; DELETE FROM daily;
