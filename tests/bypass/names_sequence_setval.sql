SELECT setval('orders.daily_id_seq', 1);
