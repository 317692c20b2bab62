CREATE TABLE marketing.campaigns (
    campaign_id int PRIMARY KEY,
    name varchar(40) NOT NULL,
    channel varchar(12) NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL
);
INSERT INTO marketing.campaigns
SELECT i, 'Campaign ' || i, (ARRAY['display', 'email', 'search', 'social'])[1 + i % 4],
    date '2025-01-01' + i * 5 % 330, date '2025-01-31' + i * 5 % 330
FROM generate_series(1, 60) i;

CREATE TABLE marketing.clicks (
    click_id int PRIMARY KEY,
    campaign_id int NOT NULL REFERENCES marketing.campaigns,
    account_id int,
    clicked_at timestamp NOT NULL
);
INSERT INTO marketing.clicks
SELECT i, 1 + i * 7 % 60, CASE WHEN i % 4 = 0 THEN 1 + i * 13 % 8000 END,
    timestamp '2025-01-01' + (i * 1777 % 31536000) * interval '1 second'
FROM generate_series(1, 12000) i;

CREATE TABLE marketing.spend (
    campaign_id int NOT NULL REFERENCES marketing.campaigns,
    day date NOT NULL,
    amount numeric(10, 2) NOT NULL,
    PRIMARY KEY (campaign_id, day)
);
INSERT INTO marketing.spend
SELECT c.campaign_id, c.starts_on + d, 20 + (c.campaign_id * 31 + d * 17) % 400
FROM marketing.campaigns c CROSS JOIN generate_series(0, 29) d;

CREATE TABLE marketing_mart.campaign_cost AS
SELECT c.campaign_id, c.name, s.amount, k.clicks, round(s.amount / k.clicks, 2) AS cost_per_click
FROM marketing.campaigns c
JOIN (SELECT campaign_id, sum(amount) AS amount FROM marketing.spend GROUP BY 1) s USING (campaign_id)
JOIN (SELECT campaign_id, count(*) AS clicks FROM marketing.clicks GROUP BY 1) k USING (campaign_id);
