"""psqlODBC, which Tableau and Excel stand on: a session direct and through the gate, in the driver's modes."""

import glob
import os

import pyodbc
import pytest

from compare import Operations, as_parameters, assert_same, each_result, statements, targets

TABLE = "orders_mart.drivers_odbc"
MODES = {
    "usual": {},
    # As Tableau has it: results are fetched in pieces from cursors.
    "cursors": {"UseDeclareFetch": 1, "Fetch": 100},
    "client-side parameters": {"UseServerSidePrepare": 0},
    "no rollback of its own": {"Protocol": "7.4-0"},
    "a savepoint a statement": {"Protocol": "7.4-2", "UseDeclareFetch": 1, "UpdatableCursors": 1, "Fetch": 10},
}
operation = Operations()


def driver():
    named = os.environ.get("PSQLODBC")
    found = [named] if named else glob.glob("/usr/lib/*/odbc/psqlodbcw.so")
    assert found, "psqlODBC is missing: scripts/setup odbc, or name its library in PSQLODBC"
    return found[0]


def connect(target, mode):
    options = {
        "Driver": driver(), "Server": target.host, "Port": target.port, "Database": target.database,
        "UID": target.user, "PWD": target.password, "SSLmode": "verify-full" if target.ca else "disable", **mode,
    }
    if target.ca:
        options["pqopt"] = f"{{sslrootcert={target.ca}}}"
    return pyodbc.connect(";".join(f"{name}={value}" for name, value in options.items()), autocommit=True)


def described(cursor):
    if cursor.description is None:
        return cursor.rowcount
    return cursor.description, [tuple(row) for row in cursor.fetchall()]


def outcome(connection, play):
    try:
        return play(connection)
    except pyodbc.Error as error:
        return type(error).__name__, error.args


def statement(sql, *parameters):
    return lambda connection: each_result(connection.execute(sql, *parameters), described)


def listed(name, *arguments, **options):
    """What one of ODBC's catalog functions tells."""
    return lambda connection: described(getattr(connection.cursor(), name)(*arguments, **options))


@operation
def many_rows_at_once(connection):
    cursor = connection.cursor()
    cursor.fast_executemany = True
    cursor.executemany(f"INSERT INTO {TABLE} (id, name) VALUES (?, ?)", [(n, f"n{n}") for n in range(100, 400)])
    return described(connection.execute(f"SELECT count(*), min(name) FROM {TABLE} WHERE id >= 100"))


@operation
def many_rows_of_which_one_fails(connection):
    return connection.cursor().executemany(
        f"INSERT INTO {TABLE} (id, name) VALUES (?, ?)", [(500, "five"), (100, "again"), (501, "never")]
    )


@operation
def a_result_that_is_left_half_read(connection):
    cursor = connection.execute("SELECT generate_series(1, 100000)")
    first = cursor.fetchmany(7)
    return [tuple(row) for row in first], described(cursor.execute("SELECT 2"))


@operation
def rows_that_are_skipped(connection):
    cursor = connection.execute("SELECT generate_series(1, 1000)")
    cursor.skip(500)
    return tuple(cursor.fetchone()), len(cursor.fetchall())


@operation
def a_transaction_rolled_back(connection):
    connection.autocommit = False
    try:
        connection.execute(f"DELETE FROM {TABLE}")
        left = described(connection.execute(f"SELECT count(*) FROM {TABLE}"))
        connection.rollback()
    finally:
        connection.autocommit = True
    return left, described(connection.execute(f"SELECT count(*) > 0 FROM {TABLE}"))


@operation
def an_error_in_a_transaction(connection):
    connection.autocommit = False
    try:
        connection.execute(f"UPDATE {TABLE} SET name = 'inside' WHERE id = 100")
        failed = outcome(connection, statement("SELECT 1 / 0"))
        after = outcome(connection, statement(f"SELECT name FROM {TABLE} WHERE id = 100"))
        connection.rollback()
    finally:
        connection.autocommit = True
    return failed, after, described(connection.execute(f"SELECT name FROM {TABLE} WHERE id = 100"))


@operation
def a_large_value(connection):
    return len(connection.execute("SELECT repeat('x', 1000000)").fetchval())


@operation
def what_the_server_is(connection):
    return [connection.getinfo(what) for what in (pyodbc.SQL_DBMS_NAME, pyodbc.SQL_DBMS_VER)]


STATEMENTS = statements(TABLE)
PLAYED = {
    **{sql: statement(sql) for sql in STATEMENTS},
    # The table is made twice over, and filled before the operations.
    "made again": statement(";".join(STATEMENTS[:2])),
    "several results": statement(f"SELECT 1; UPDATE {TABLE} SET name = 'x' WHERE id = 0; SELECT 'a', NULL"),
    "parameters": statement("SELECT ?, ?, ?, ?", 1, "text", 1.5, None),
    "parameters in a condition": statement("SELECT * FROM orders.orders WHERE order_id IN (?, ?) ORDER BY 1", 5, 6),
    "ODBC's own forms": statement("SELECT {fn ucase('a')}, {d '2026-01-01'}, {fn length('abc')}"),
    "a procedure's form": statement("{call pg_catalog.lower(?)}", "ABC"),
    "many rows": statement("SELECT * FROM orders.orders ORDER BY order_id LIMIT 700"),
    "tables": listed("tables", schema="orders"),
    "columns": listed("columns", table="orders", schema="orders"),
    "primary keys": listed("primaryKeys", "orders", schema="orders"),
    "foreign keys": listed("foreignKeys", table="orders", schema="orders"),
    "statistics": listed("statistics", "customers", schema="orders"),
    "best columns": listed("rowIdColumns", "orders", schema="orders"),
    "procedures": listed("procedures", schema="orders"),
    "types": listed("getTypeInfo"),
    **operation,
    "dropped": statement(f"DROP TABLE {TABLE}"),
}


@pytest.fixture(scope="module", params=MODES.values(), ids=MODES.keys())
def outcomes(demo, request):
    assert len(PLAYED) >= 60
    found = {}
    for where, target in targets(demo).items():
        connection = connect(target, request.param)
        found[where] = {name: outcome(connection, play) for name, play in PLAYED.items()}
        connection.close()
    return found


@pytest.mark.parametrize("name", as_parameters(PLAYED))
def test_an_operation_gives_what_it_gives_directly(outcomes, name):
    assert_same(outcomes, name)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_a_refusal_is_told_with_its_sqlstate_and_the_session_goes_on(demo, mode):
    connection = connect(targets(demo)["gate"], mode)
    with pytest.raises(pyodbc.Error, match="tollgate: ") as refusal:
        connection.execute("GRANT SELECT ON orders.orders TO public")
    assert refusal.value.args[0] == "42501"
    assert connection.execute("SELECT 1").fetchval() == 1
    connection.close()
