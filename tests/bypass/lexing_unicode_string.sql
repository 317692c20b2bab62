SELECT U&'\0027'; DELETE FROM orders.daily; --'
