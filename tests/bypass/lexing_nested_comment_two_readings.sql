/* /* */ DELETE FROM orders.daily; /* */ */ SELECT 1;
