SET search_path TO orders; CREATE TEMP TABLE daily (n int); DROP TABLE "DAILY"; DELETE FROM daily;
