SELECT 1 AS a$b$; DELETE FROM orders.daily; --$b$
