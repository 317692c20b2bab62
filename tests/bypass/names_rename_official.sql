ALTER TABLE orders.daily RENAME TO gone;
