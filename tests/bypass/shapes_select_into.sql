SELECT day, total INTO orders.copied FROM orders.daily;
