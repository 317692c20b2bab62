CREATE DOMAIN pg_temp.daily AS int; SET search_path TO orders; DELETE FROM daily;
