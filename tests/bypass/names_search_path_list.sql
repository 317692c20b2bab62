SET search_path = sandbox_orders, orders;
INSERT INTO daily VALUES (1);
