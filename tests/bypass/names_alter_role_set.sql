ALTER ROLE tollgate SET search_path TO orders;
