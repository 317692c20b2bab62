SELECT E'\''; DELETE FROM orders.daily; --'
