SELECT ($x$)$x$); DELETE FROM orders.daily;
