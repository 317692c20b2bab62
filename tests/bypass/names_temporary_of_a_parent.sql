CREATE TEMP TABLE parent (a int); CREATE TEMP TABLE daily (a int); ALTER TABLE daily INHERIT parent; DROP TABLE parent CASCADE; SET search_path TO orders; DELETE FROM daily;
