SELECT sandbox_orders.lower('X');
