SET search_path TO orders; CREATE TEMP TABLE x (a int); DELETE FROM approximate x;
