ALTER DATABASE dev SET search_path TO orders;
