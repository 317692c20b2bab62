ALTER USER ana SET search_path TO orders;
