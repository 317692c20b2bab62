CREATE CAST (text AS int) WITH FUNCTION sandbox_orders.f(text);
