SELECT 'open; DELETE FROM orders.daily;
