DELETE FROM dev.orders.daily;
