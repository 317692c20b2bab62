CREATE TABLE finances.invoices (
    invoice_id int PRIMARY KEY,
    order_id int NOT NULL,
    issued_on date NOT NULL,
    amount numeric(12, 2) NOT NULL,
    paid boolean NOT NULL
);
INSERT INTO finances.invoices
SELECT i, i * 3, date '2025-01-01' + i * 3 % 365, 10 + (i * 3 * 104729::bigint % 49000) / 100.0, i % 12 <> 0
FROM generate_series(1, 8000) i;

CREATE TABLE finances.payments (
    payment_id int PRIMARY KEY,
    invoice_id int NOT NULL REFERENCES finances.invoices,
    paid_on date NOT NULL,
    amount numeric(12, 2) NOT NULL,
    method varchar(10) NOT NULL
);
INSERT INTO finances.payments
SELECT invoice_id, invoice_id, issued_on + invoice_id % 30, amount,
    (ARRAY['card', 'card', 'transfer', 'wallet'])[1 + invoice_id % 4]
FROM finances.invoices WHERE paid;

CREATE TABLE finances.exchange_rates (
    day date NOT NULL,
    currency char(3) NOT NULL,
    per_usd numeric(12, 4) NOT NULL,
    PRIMARY KEY (day, currency)
);
INSERT INTO finances.exchange_rates
SELECT date '2025-01-01' + d, c, 1 + (d * 7 + ascii(c) * 13) % 500 / 100.0
FROM generate_series(0, 364) d CROSS JOIN unnest(ARRAY['ARS', 'BRL', 'CLP', 'EUR', 'MXN']) c;

CREATE TABLE finances_mart.monthly_revenue AS
SELECT date_trunc('month', paid_on)::date AS month, count(*) AS payments, sum(amount) AS revenue
FROM finances.payments GROUP BY 1;
