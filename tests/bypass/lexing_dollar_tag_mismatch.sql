SELECT $a$ $b$ ; $a$; DELETE FROM orders.daily; -- $b$
