ALTER TABLE IF EXISTS pg_temp.nosuch RENAME TO daily; SET search_path TO orders; DELETE FROM daily;
