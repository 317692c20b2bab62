ALTER TABLE orders.daily OWNER TO tollgate;
