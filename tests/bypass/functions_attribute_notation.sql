SELECT ('orders.daily_seq'::regclass).nextval;
