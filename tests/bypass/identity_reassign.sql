REASSIGN OWNED BY dbt TO tollgate;
