CREATE TABLE ecommerce.products (
    product_id int PRIMARY KEY,
    name varchar(60) NOT NULL,
    category varchar(30) NOT NULL,
    price numeric(10, 2) NOT NULL,
    active boolean NOT NULL
);
INSERT INTO ecommerce.products
SELECT i,
    (ARRAY['Clay', 'Linen', 'Oak', 'Steel', 'Wool'])[1 + i % 5] || ' '
        || (ARRAY['bowl', 'chair', 'lamp', 'rug', 'shelf', 'table', 'vase'])[1 + i % 7] || ' ' || i,
    (ARRAY['garden', 'kitchen', 'lighting', 'living'])[1 + i % 4],
    5 + (i * 7919 % 19500) / 100.0,
    i % 25 <> 0
FROM generate_series(1, 1000) i;

CREATE TABLE ecommerce.visits (
    visit_id int PRIMARY KEY,
    account_id int,
    product_id int NOT NULL REFERENCES ecommerce.products,
    visited_at timestamp NOT NULL,
    device varchar(10) NOT NULL,
    seconds int NOT NULL
);
INSERT INTO ecommerce.visits
SELECT i, CASE WHEN i % 3 > 0 THEN 1 + i * 31::bigint % 8000 END, 1 + i * 7919::bigint % 1000,
    timestamp '2025-01-01' + (i * 1051 % 31536000) * interval '1 second',
    (ARRAY['desktop', 'phone', 'tablet'])[1 + i % 3], 3 + i * 13 % 600
FROM generate_series(1, 30000) i;

CREATE TABLE ecommerce.carts (
    cart_id int PRIMARY KEY,
    account_id int NOT NULL,
    product_id int NOT NULL REFERENCES ecommerce.products,
    quantity int NOT NULL,
    abandoned boolean NOT NULL
);
INSERT INTO ecommerce.carts
SELECT i, 1 + i * 17 % 8000, 1 + i * 37 % 1000, 1 + i % 4, i % 10 < 6
FROM generate_series(1, 6000) i;

CREATE TABLE ecommerce_mart.product_visits AS
SELECT p.product_id, p.name, p.category, count(*) AS visits, sum(v.seconds) AS seconds
FROM ecommerce.products p JOIN ecommerce.visits v USING (product_id)
GROUP BY 1, 2, 3;
