SELECT $t$ ' $t$; DELETE FROM orders.daily; SELECT $t$ ' $t$;
