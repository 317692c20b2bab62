SET ROLE dbt;
