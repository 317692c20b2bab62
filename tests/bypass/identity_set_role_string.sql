SET LOCAL role = 'dbt';
