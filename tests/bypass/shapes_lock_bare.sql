LOCK orders.daily;
