-- The gate's own login can read and write everything: what protects is the gate, so the examples show
-- that a refusal comes from its rules and not from the warehouse's grants.
CREATE ROLE tollgate LOGIN PASSWORD :tollgate;
CREATE ROLE dbt LOGIN PASSWORD :dbt;
GRANT pg_read_all_data, pg_write_all_data TO tollgate;
GRANT ALL ON DATABASE dev TO tollgate, dbt;
GRANT ALL ON SCHEMA public TO tollgate, dbt;
