SET session_authorization TO dbt;
