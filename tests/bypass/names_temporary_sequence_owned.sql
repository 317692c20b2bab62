CREATE TEMP TABLE t (a int); CREATE TEMP SEQUENCE daily OWNED BY t.a; DROP TABLE t; SET search_path TO orders; DELETE FROM daily;
