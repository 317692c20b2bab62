SELECT * FROM (WITH a AS (WITH b AS (UPDATE orders.daily SET total = 0 RETURNING day) SELECT * FROM b) SELECT * FROM a) AS x;
