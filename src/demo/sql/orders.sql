CREATE TABLE orders.customers (
    customer_id int PRIMARY KEY,
    name varchar(60) NOT NULL,
    email varchar(80) NOT NULL,
    card_number varchar(19) NOT NULL,
    country char(2) NOT NULL
);
INSERT INTO orders.customers
SELECT i, 'Customer ' || i, 'customer' || i || '@mail.example',
    '4000 0000 ' || lpad((i * 7 % 10000)::text, 4, '0') || ' ' || lpad((i * 7919 % 10000)::text, 4, '0'),
    (ARRAY['AR', 'BR', 'CL', 'DE', 'ES', 'MX', 'US'])[1 + i % 7]
FROM generate_series(1, 8000) i;

CREATE TABLE orders.orders (
    order_id int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES orders.customers,
    order_date date NOT NULL,
    status varchar(12) NOT NULL,
    total numeric(12, 2) NOT NULL
);
INSERT INTO orders.orders
SELECT i, 1 + i * 7919::bigint % 8000, date '2025-01-01' + i % 365,
    (ARRAY['paid', 'paid', 'shipped', 'shipped', 'delivered', 'delivered', 'delivered', 'cancelled'])[1 + i % 8],
    10 + (i * 104729::bigint % 49000) / 100.0
FROM generate_series(1, 30000) i;

CREATE TABLE orders.order_lines (
    order_id int NOT NULL REFERENCES orders.orders,
    line int NOT NULL,
    order_date date NOT NULL,
    product_id int NOT NULL,
    quantity int NOT NULL,
    price numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
INSERT INTO orders.order_lines
SELECT o.order_id, l, o.order_date, 1 + (o.order_id * 31::bigint + l * 17) % 1000, 1 + (o.order_id + l) % 5,
    5 + (o.order_id * 7919::bigint + l * 101) % 19500 / 100.0
FROM orders.orders o CROSS JOIN generate_series(1, 2) l;

CREATE TABLE orders.daily (
    day date PRIMARY KEY,
    orders int NOT NULL,
    total numeric(14, 2) NOT NULL
);
INSERT INTO orders.daily SELECT order_date, count(*), sum(total) FROM orders.orders GROUP BY 1;

CREATE TABLE orders_mart.country_revenue AS
SELECT c.country, count(*) AS orders, sum(o.total) AS revenue
FROM orders.orders o JOIN orders.customers c USING (customer_id)
WHERE o.status <> 'cancelled'
GROUP BY 1;
