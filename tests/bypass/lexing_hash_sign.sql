SELECT 1 # 2; DELETE FROM orders.daily;
