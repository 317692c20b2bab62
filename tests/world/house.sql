-- The world: six domains with their sandboxes, and of each kind of object at least one.
DO $$
DECLARE domain text;
BEGIN
    FOREACH domain IN ARRAY ARRAY['orders', 'ecommerce', 'logistics', 'users', 'marketing', 'finances'] LOOP
        EXECUTE format(
            'CREATE SCHEMA %1$I; CREATE SCHEMA %2$I; CREATE SCHEMA %3$I;
             CREATE TABLE %1$I.daily (day int PRIMARY KEY, total int NOT NULL CHECK (total >= 0));
             INSERT INTO %1$I.daily SELECT n, n * 2 FROM generate_series(1, 5) n;
             CREATE TABLE %2$I.summary AS SELECT count(*) AS days FROM %1$I.daily;
             CREATE TABLE %3$I.t (a int, b text); INSERT INTO %3$I.t VALUES (1, ''x'')',
            domain, domain || '_mart', 'sandbox_' || domain);
    END LOOP;
END $$;

CREATE ROLE dbt NOLOGIN;
CREATE ROLE readers NOLOGIN;
GRANT readers TO dbt;
ALTER ROLE dbt SET search_path = orders;
GRANT SELECT ON ALL TABLES IN SCHEMA orders TO readers;
ALTER DEFAULT PRIVILEGES IN SCHEMA orders GRANT SELECT ON TABLES TO readers;

CREATE TABLE public.notes (a int, note text);
CREATE SEQUENCE orders.numbers OWNED BY orders.daily.day;
CREATE TABLE orders.customers (id serial PRIMARY KEY, email text NOT NULL UNIQUE DEFAULT 'none');
INSERT INTO orders.customers (email) VALUES ('a@example.com'), ('b@example.com');
CREATE TABLE orders.lines (id int REFERENCES orders.customers ON DELETE CASCADE, n int GENERATED ALWAYS AS IDENTITY);
INSERT INTO orders.lines VALUES (1), (2);
CREATE TABLE orders.by_year (year int, n int) PARTITION BY LIST (year);
CREATE TABLE orders.by_year_2025 PARTITION OF orders.by_year FOR VALUES IN (2025);
INSERT INTO orders.by_year VALUES (2025, 1);
CREATE TABLE orders.child () INHERITS (orders.daily);
CREATE VIEW orders.recent AS SELECT * FROM orders.daily WHERE day > 2;
CREATE VIEW orders.latest AS SELECT * FROM orders.recent WHERE day > 3;
CREATE MATERIALIZED VIEW orders_mart.kept AS SELECT sum(total) AS total FROM orders.daily;
CREATE INDEX by_total ON orders.daily (total);
CREATE STATISTICS orders.daily_stats ON day, total FROM orders.daily;
COMMENT ON TABLE orders.daily IS 'one row a day';
ALTER TABLE orders.lines SET (fillfactor = 90);
CREATE TYPE orders.status AS ENUM ('paid', 'sent');
CREATE TYPE orders.pair AS (a int, b int);
CREATE DOMAIN orders.amount AS int CHECK (VALUE >= 0);
CREATE COLLATION orders.plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION orders.words (COPY = simple);
CREATE CONVERSION orders.recode FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE DOMAIN orders.numbered AS bigint DEFAULT nextval('orders.numbers');
CREATE TABLE marketing.leads (a int, n bigint DEFAULT nextval('orders.numbers'));
-- Tables named by words that a grammar may take for something else.
CREATE TABLE orders.of (a int); INSERT INTO orders.of VALUES (7);
CREATE TABLE orders.approximate (a int); INSERT INTO orders.approximate VALUES (7);
CREATE TABLE orders.search (a int); INSERT INTO orders.search VALUES (7);
CREATE SCHEMA "ORDERS";
CREATE TABLE "ORDERS"."DAILY" (day int, total int); INSERT INTO "ORDERS"."DAILY" VALUES (1, 1);
CREATE SCHEMA "SANDBOX_ORDERS";
CREATE TABLE "SANDBOX_ORDERS".t (a int);

-- Functions of the official schemas that change what the schemas hold.
CREATE TABLE orders.log_lines (line text);
CREATE FUNCTION orders.log(text) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO orders.log_lines VALUES ($1) RETURNING 1 $$;
CREATE FUNCTION orders.lower(text) RETURNS text LANGUAGE sql AS
    $$ INSERT INTO orders.log_lines VALUES ($1) RETURNING line $$;
CREATE FUNCTION orders.stamp(orders.daily) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO orders.log_lines VALUES ('stamp') RETURNING 1 $$;
CREATE FUNCTION orders.both(int, int) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO orders.log_lines VALUES ('both') RETURNING 1 $$;
CREATE OPERATOR orders.## (LEFTARG = int, RIGHTARG = int, FUNCTION = orders.both);
CREATE FUNCTION orders.cast_of(orders.pair) RETURNS int LANGUAGE sql AS
    $$ INSERT INTO orders.log_lines VALUES ('cast') RETURNING 1 $$;
CREATE CAST (orders.pair AS int) WITH FUNCTION orders.cast_of(orders.pair);
CREATE AGGREGATE orders.total(int) (SFUNC = int4pl, STYPE = int);
CREATE PROCEDURE orders.refresh() LANGUAGE sql AS $$ UPDATE orders.daily SET total = total + 1 $$;
CREATE FUNCTION orders.touched() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO orders.log_lines VALUES ('touched'); RETURN NULL; END $$;
CREATE TRIGGER touched AFTER UPDATE ON orders.daily FOR EACH STATEMENT EXECUTE FUNCTION orders.touched();
CREATE RULE kept AS ON DELETE TO orders.customers WHERE old.id = 0 DO INSTEAD NOTHING;
ALTER TABLE orders.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_of_it ON orders.customers USING (true);
CREATE PUBLICATION changes FOR TABLE finances.daily;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing;
SELECT lo_from_bytea(4242, 'large');
SELECT nextval('orders.numbers');
