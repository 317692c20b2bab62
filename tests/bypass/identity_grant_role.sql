GRANT dbt TO tollgate;
