"""A session's operations, played on a direct connection and through the gate, and their outcomes compared."""

from dataclasses import dataclass

import pytest

# A steward: no cap on rows, and its schema may be written.
ACCOUNT = "dbt_prod"

# What every driver sends as it stands; `{table}` is a table of the driver's own.
STATEMENTS = [
    "DROP TABLE IF EXISTS {table}",
    "CREATE TABLE {table} (id int PRIMARY KEY, name text NOT NULL, amount numeric(10, 2), at timestamptz)",
    "INSERT INTO {table} VALUES (1, 'one', 1.50, '2026-01-01 10:00+00'), (2, 'two', NULL, NULL)",
    "INSERT INTO {table} VALUES (3, 'three', -7, 'infinity') RETURNING id, name",
    "UPDATE {table} SET amount = 9 WHERE id = 2 RETURNING *",
    "UPDATE {table} SET amount = 9 WHERE id = 99",
    "INSERT INTO {table} VALUES (3, 'again', 0, NULL) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    "SELECT id, name, amount FROM {table} ORDER BY id",
    "WITH gone AS (DELETE FROM {table} WHERE id = 3 RETURNING id) SELECT * FROM gone",
    "INSERT INTO {table} VALUES (1, 'twice', 0, NULL)",
    "INSERT INTO {table} VALUES (7, NULL, 0, NULL)",
    "ALTER TABLE {table} ADD COLUMN note varchar(5)",
    "UPDATE {table} SET note = 'too long for five'",
    "SELECT true, false, NULL::bool",
    "SELECT 1::int2, 2::int4, 3::int8, (-9223372036854775808)::int8",
    "SELECT 1.5::float4, 1e300::float8, 'NaN'::float8, '-Infinity'::float8",
    "SELECT 1.10::numeric, 12345678901234567890.123456789::numeric, 'NaN'::numeric, 0::numeric(10, 4)",
    "SELECT 'text', ''::text, 'ünïcödé ☃ 😀'::text, 'c'::char(4), 'v'::varchar(9), 'n'::name",
    "SELECT DATE '2026-02-28', DATE '1900-01-01', TIME '10:11:12.131415', TIMESTAMP '2026-01-01 00:00:00.000001'",
    "SELECT TIMESTAMPTZ '2026-01-01 12:00:00+02'",
    "SELECT '\\x00ff'::bytea, ''::bytea",
    "SELECT ARRAY[1, 2, NULL]::int[], ARRAY['a', 'b,c', '\"', NULL]::text[], ARRAY[]::int[], ARRAY[[1, 2], [3, 4]]",
    "SELECT '{{\"a\": [1, null, \"x\"]}}'::json, '{{\"b\": 1.0}}'::jsonb",
    "SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
    "SELECT NULL, NULL::text, NULL::int",
    "SELECT 1 AS same, 2 AS same, 3 AS \"Upper Case\"",
    "SELECT g FROM generate_series(1, 1000) g",
    "SELECT g, repeat('x', 1000) FROM generate_series(1, 2000) g",
    "SELECT repeat('y', 1000000)",
    "SELECT 1 WHERE false",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT status, count(*), sum(order_id) OVER (ORDER BY status) FROM orders.orders WHERE order_id < 5 GROUP BY status, order_id",
    "SELECT o.order_id, l.* FROM orders.orders o JOIN orders.order_lines l ON l.order_id = o.order_id WHERE o.order_id < 4 ORDER BY 1, 2",
    "SELECT 1/0",
    "SELECT 'x'::int",
    "SELECT 99999999999::int4",
    "SELECT * FROM orders.nowhere",
    "SELECT nothing FROM orders.orders",
    "SELECT CAST('2026-13-01' AS date)",
    "SHOW standard_conforming_strings",
    "SHOW client_encoding",
    "SET statement_timeout = 60000",
    "SHOW statement_timeout",
    "RESET statement_timeout",
    "EXPLAIN (COSTS OFF) SELECT 1 WHERE false",
    "CREATE TEMP TABLE kept (a int) ON COMMIT PRESERVE ROWS",
    "INSERT INTO kept SELECT g FROM generate_series(1, 5) g",
    "SELECT sum(a) FROM kept",
    "TRUNCATE kept",
    "SELECT count(*) FROM kept",
    "DROP TABLE kept",
    "CREATE OR REPLACE VIEW {table}_v AS SELECT id FROM {table}",
    "SELECT count(*) FROM {table}_v",
    "DROP VIEW {table}_v",
    "DROP VIEW IF EXISTS {table}_v",
    "PREPARE plan (int) AS SELECT $1 + 1",
    "EXECUTE plan (41)",
    "DEALLOCATE plan",
    "COMMENT ON TABLE {table} IS 'made by a test'",
    "TABLE {table}",
]


@dataclass(frozen=True)
class Target:
    """Where a driver connects; `ca` is set where the connection has TLS."""

    host: str
    port: int
    database: str
    user: str
    password: str
    ca: str | None


def targets(demo):
    """The warehouse itself, and the gate."""
    warehouse = demo.state["warehouse"]
    user, password = demo.login(ACCOUNT)
    return {
        "direct": Target("127.0.0.1", warehouse["port"], demo.database, warehouse["superuser"],
                         warehouse["password"], None),
        "gate": Target("localhost", demo.port, demo.database, user, password, demo.ca),
    }


def statements(table):
    # Outcomes are kept by their texts.
    assert len(set(STATEMENTS)) == len(STATEMENTS)
    return [sql.format(table=table) for sql in STATEMENTS]


class Operations(dict):
    """Operations by name, in the order in which they are played."""

    def __call__(self, operation):
        assert operation.__name__ not in self, operation.__name__
        self[operation.__name__] = operation
        return operation


def each_result(cursor, described):
    """Every result of a cursor, as one of them is described."""
    found = [described(cursor)]
    while cursor.nextset():
        found.append(described(cursor))
    return found


def as_parameters(names):
    return [pytest.param(name, id=name[:60]) for name in names]


def assert_same(outcomes, name):
    """What both connections gave, texts and types."""
    direct, gate = outcomes["direct"][name], outcomes["gate"][name]
    assert repr(gate) == repr(direct), f"through the gate: {gate!r:.2000}\ndirectly: {direct!r:.2000}"


def assert_same_lines(outcomes, at_least):
    """What a program printed on both connections, a line for each operation."""
    direct, gate = outcomes["direct"], outcomes["gate"]
    assert len(direct) >= at_least
    differing = [
        f"through the gate: {through:.1500}\ndirectly: {straight:.1500}"
        for straight, through in zip(direct, gate, strict=True)
        if straight != through
    ]
    assert not differing, "\n".join(differing)
