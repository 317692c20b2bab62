CREATE TEMP TABLE log (a int); SET search_path TO orders; DROP FUNCTION log(text);
