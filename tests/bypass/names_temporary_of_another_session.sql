DROP TABLE pg_temp_3.t;
