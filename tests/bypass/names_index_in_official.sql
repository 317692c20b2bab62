CREATE INDEX i ON orders.daily (day);
