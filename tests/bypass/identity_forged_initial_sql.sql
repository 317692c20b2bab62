SET app_context.user_id TO 'dbt_prod'; DELETE FROM orders.daily;
