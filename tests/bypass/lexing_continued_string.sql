SELECT 'a'
'b'; DELETE FROM orders.daily; --'
