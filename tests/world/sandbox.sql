-- The analyst's sandbox as each scene finds it.
DROP SCHEMA IF EXISTS sandbox_orders CASCADE;
CREATE SCHEMA sandbox_orders;
CREATE TABLE sandbox_orders.t (a int, b text);
INSERT INTO sandbox_orders.t VALUES (1, 'x'), (2, 'y');
CREATE TABLE sandbox_orders.daily (day int, total int);
INSERT INTO sandbox_orders.daily VALUES (1, 1), (2, 2);
CREATE TABLE sandbox_orders.parent (a int) PARTITION BY LIST (a);
CREATE VIEW sandbox_orders.window AS SELECT * FROM orders.daily;
CREATE SEQUENCE sandbox_orders.numbers;
