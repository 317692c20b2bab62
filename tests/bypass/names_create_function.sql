CREATE FUNCTION sandbox_orders.lower(text) RETURNS text AS $$ SELECT 'x' $$ LANGUAGE sql;
SELECT sandbox_orders.lower('X');
