SET search_path TO orders; CREATE TEMP TABLE x (a int); UPDATE of AS x SET a = 1;
