SELECT '\'; DELETE FROM orders.daily; --';
