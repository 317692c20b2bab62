CREATE TABLE users.accounts (
    account_id int PRIMARY KEY,
    handle varchar(30) NOT NULL,
    created_on date NOT NULL,
    plan varchar(10) NOT NULL
);
INSERT INTO users.accounts
SELECT i, 'user' || i, date '2023-01-01' + i * 7 % 730, (ARRAY['free', 'free', 'plus', 'pro'])[1 + i % 4]
FROM generate_series(1, 8000) i;

CREATE TABLE users.logins (
    login_id int PRIMARY KEY,
    account_id int NOT NULL REFERENCES users.accounts,
    logged_in_at timestamp NOT NULL,
    succeeded boolean NOT NULL
);
INSERT INTO users.logins
SELECT i, 1 + i * 131::bigint % 8000, timestamp '2025-01-01' + (i * 2011 % 31536000) * interval '1 second',
    i % 20 <> 0
FROM generate_series(1, 15000) i;

CREATE TABLE users_mart.plan_counts AS
SELECT plan, count(*) AS accounts, min(created_on) AS first_on FROM users.accounts GROUP BY 1;
