-- as: ana@opetence.example orders-analysts
-- Questions of the shapes of TPC-H and TPC-DS, written for the sample company in Redshift's dialect.
SELECT l.return_flag, l.line_status, SUM(l.quantity) AS sum_qty, SUM(l.price * (1 - l.discount) * (1 + l.tax)) AS charge, AVG(l.discount) AS avg_disc, COUNT(*) AS n FROM orders.order_lines l WHERE l.shipped <= DATE '1998-12-01' - INTERVAL '90 days' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT TOP 100 s.name, p.sku FROM logistics.suppliers s JOIN logistics.offers o ON o.supplier_id = s.id JOIN ecommerce.products p ON p.sku = o.sku WHERE o.cost = (SELECT MIN(i.cost) FROM logistics.offers i WHERE i.sku = p.sku) AND p.kind LIKE '%BRASS' ORDER BY s.balance DESC;
SELECT o.priority, COUNT(*) FROM orders.orders o WHERE o.ordered_at >= '1993-07-01' AND o.ordered_at < DATEADD(month, 3, '1993-07-01') AND EXISTS (SELECT 1 FROM orders.order_lines l WHERE l.order_id = o.order_id AND l.committed < l.received) GROUP BY o.priority;
SELECT c.country, EXTRACT(year FROM o.ordered_at) AS y, SUM(CASE WHEN c.country = 'BR' THEN o.amount ELSE 0 END) / NULLIF(SUM(o.amount), 0) AS share FROM orders.orders o LEFT JOIN users.users c USING (user_id) GROUP BY 1, 2 HAVING SUM(o.amount) > (SELECT AVG(amount) * 0.0001 FROM orders.orders);
WITH revenue (supplier, total) AS (SELECT supplier_id, SUM(price) FROM orders.order_lines GROUP BY 1) SELECT * FROM revenue WHERE total = (SELECT MAX(total) FROM revenue);
SELECT DISTINCT SUBSTRING(u.phone FROM 1 FOR 2) AS code, COUNT(DISTINCT u.user_id) FROM users.users u WHERE u.user_id NOT IN (SELECT user_id FROM orders.orders WHERE user_id IS NOT NULL) GROUP BY 1;
WITH weekly AS (SELECT sku, DATE_TRUNC('week', sold) AS week, SUM(price) AS sales FROM ecommerce.sales GROUP BY 1, 2), ranked AS (SELECT *, RANK() OVER (PARTITION BY week ORDER BY sales DESC) AS r, LAG(sales, 1) OVER (PARTITION BY sku ORDER BY week) AS before FROM weekly) SELECT * FROM ranked WHERE r <= 10 QUALIFY ROW_NUMBER() OVER (PARTITION BY sku ORDER BY week DESC) = 1;
SELECT channel, item, SUM(n) FROM (SELECT 'web' AS channel, sku AS item, n FROM ecommerce.web UNION ALL SELECT 'store', sku, n FROM ecommerce.store) x GROUP BY ROLLUP (channel, item);
SELECT country, segment, GROUPING(country), SUM(spend) FROM marketing.spend GROUP BY GROUPING SETS ((country, segment), (country), ()) ORDER BY 1 NULLS LAST;
SELECT a.sku FROM ecommerce.web a INTERSECT SELECT b.sku FROM ecommerce.store b EXCEPT SELECT c.sku FROM ecommerce.recalled c;
SELECT sku, LISTAGG(tag, ', ') WITHIN GROUP (ORDER BY tag) AS tags, MEDIAN(price), APPROXIMATE COUNT(DISTINCT user_id), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY price) FROM ecommerce.views GROUP BY sku;
SELECT * FROM (SELECT month, country, amount FROM finances.revenue) PIVOT (SUM(amount) FOR country IN ('DE' AS de, 'FR' AS fr));
SELECT e.id, i.name, i.price::numeric(12, 2) FROM ecommerce.events e, e.items i WHERE e.payload.kind = 'buy' AND JSON_EXTRACT_PATH_TEXT(e.raw, 'a', 'b') IS NOT NULL;
SELECT NVL(d.name, 'none'), DECODE(o.status, 1, 'new', 2, 'paid', 'other'), o.amount::decimal(10, 2), GETDATE(), DATEDIFF(day, o.ordered_at, SYSDATE), CONVERT_TIMEZONE('UTC', 'Europe/Berlin', o.ordered_at) FROM orders.orders o FULL OUTER JOIN logistics.depots d ON d.id = o.depot_id WHERE o.note SIMILAR TO '%(gift|urgent)%' OR o.note ILIKE '%asap%' OR REGEXP_SUBSTR(o.note, '[0-9]+') <> '';
WITH RECURSIVE chain (id, parent, depth) AS (SELECT id, parent, 1 FROM users.managers WHERE parent IS NULL UNION ALL SELECT m.id, m.parent, c.depth + 1 FROM users.managers m JOIN chain c ON c.id = m.parent) SELECT depth, COUNT(*) FROM chain GROUP BY 1;
SELECT FIRST_VALUE(amount IGNORE NULLS) OVER (PARTITION BY user_id ORDER BY ordered_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders.orders;
CREATE TABLE sandbox_orders.top_skus DISTSTYLE ALL AS SELECT sku, SUM(price) AS total FROM ecommerce.sales GROUP BY 1 ORDER BY 2 DESC LIMIT 100;
CREATE OR REPLACE VIEW sandbox_orders.v_top AS SELECT * FROM sandbox_orders.top_skus WITH NO SCHEMA BINDING;
INSERT INTO sandbox_orders.top_skus SELECT 'x', 1;
UPDATE sandbox_orders.top_skus SET total = total * 1.1 WHERE sku IN (SELECT sku FROM ecommerce.recalled);
DELETE FROM sandbox_orders.top_skus USING ecommerce.recalled r WHERE r.sku = top_skus.sku;
CREATE TEMP TABLE staged (LIKE sandbox_orders.top_skus);
INSERT INTO staged VALUES ('a', 1), ('b', 2);
DROP TABLE staged;
DROP VIEW sandbox_orders.v_top;
DROP TABLE IF EXISTS sandbox_orders.top_skus;
