/* Username: dbt_prod, Query ID: 1, Queue: stewards */ DELETE FROM orders.daily;
