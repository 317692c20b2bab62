DELETE FROM "sandbox_orders.t";
