ALTER TABLE sandbox_orders.t OWNER TO dbt;
