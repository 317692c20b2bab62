SELECT set_config('role', 'dbt', true);
