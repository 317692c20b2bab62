SELECT 1 OPERATOR(sandbox_orders.+) 2;
