SELECT 1 -- harmless; DELETE FROM orders.daily
