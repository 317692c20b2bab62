"""psycopg 3: a session direct and through the gate."""

import datetime
import decimal

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from compare import Operations, as_parameters, assert_same, each_result, statements, targets

TABLE = "orders_mart.drivers_psycopg"
DENIED = "INSERT INTO pg_catalog.pg_class SELECT * FROM pg_catalog.pg_class"
STATEMENTS = statements(TABLE)
operation = Operations()


def connect(target):
    options = {"sslmode": "verify-full", "sslrootcert": target.ca} if target.ca else {"sslmode": "disable"}
    connection = psycopg.connect(
        host=target.host, port=target.port, dbname=target.database, user=target.user, password=target.password,
        autocommit=True, **options,
    )
    connection.seen = []
    connection.add_notice_handler(
        lambda notice: connection.seen.append((notice.severity, notice.sqlstate, notice.message_primary))
    )
    return connection


def described(cursor):
    columns = cursor.description and [
        (column.name, column.type_code, column.internal_size, column.precision, column.scale)
        for column in cursor.description
    ]
    rows = cursor.fetchall() if cursor.description else None
    return cursor.statusmessage, cursor.rowcount, columns, rows


def outcome(connection, play):
    connection.seen.clear()
    try:
        found = play(connection)
    except psycopg.Error as error:
        diag = error.diag
        found = (type(error).__name__, error.sqlstate, diag.severity, diag.message_primary, diag.message_detail,
                 diag.message_hint, diag.statement_position, diag.constraint_name, diag.source_function)
    return found, list(connection.seen), connection.info.transaction_status.name


def statement(sql, **options):
    def play(connection):
        with connection.cursor(binary=options.get("binary", False)) as cursor:
            cursor.execute(sql, prepare=options.get("prepare"))
            return described(cursor)

    return play


def execute(connection, sql, *parameters, **options):
    with connection.cursor() as cursor:
        return described(cursor.execute(sql, parameters or None, **options))


@operation
def parameters_of_many_types(connection):
    values = (1, 2**40, 1.5, decimal.Decimal("1.10"), "text", b"\x00\xff", True, None, [1, 2], ["a", None],
              datetime.date(2026, 1, 1), datetime.timedelta(days=1, seconds=2), Jsonb({"a": [1]}))
    return execute(connection, "SELECT " + ", ".join(["%s"] * len(values)), *values)


@operation
def binary_parameters_and_results(connection):
    with connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT %b, %b, %b, %b::timestamptz", (7, "t", b"\x01", datetime.datetime(2026, 1, 1)))
        return described(cursor)


@operation
def a_statement_becomes_prepared_after_five_times(connection):
    rows = [execute(connection, f"SELECT %s + {column}", 1) for column in [10] * 8]
    return rows, connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()


@operation
def a_prepared_statement_outlives_a_rollback(connection):
    with connection.transaction(force_rollback=True):
        first = execute(connection, "SELECT %s::text || 'x'", "a", prepare=True)
    return first, execute(connection, "SELECT %s::text || 'x'", "b", prepare=True)


@operation
def a_prepared_statement_whose_table_changes(connection):
    connection.execute("CREATE TEMP TABLE changing (a int)")
    first = execute(connection, "SELECT * FROM changing", prepare=True)
    connection.execute("ALTER TABLE changing ADD COLUMN b int")
    try:
        return first, execute(connection, "SELECT * FROM changing", prepare=True)
    finally:
        connection.execute("DROP TABLE changing")


@operation
def many_prepared_statements_are_evicted(connection):
    connection.prepared_max = 3
    found = [execute(connection, f"SELECT {n} + %s", n, prepare=True) for n in range(10)]
    connection.prepared_max = 100
    return found, connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()


@operation
def executemany_counts_its_rows(connection):
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {TABLE} VALUES (%s, %s, 0, NULL)", [(n, f"n{n}") for n in range(100, 200)])
        return cursor.rowcount, cursor.statusmessage


@operation
def executemany_gives_all_results(connection):
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {TABLE} SET amount = %s WHERE id = %s RETURNING id, amount", [(1, 100), (2, 101), (3, 999)],
            returning=True,
        )
        return each_result(cursor, described)


@operation
def executemany_stops_at_an_error(connection):
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {TABLE} VALUES (%s, 'x', 0, NULL)", [(300,), (100,), (301,)])


@operation
def executemany_left_nothing(connection):
    return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id >= 300")


@operation
def several_statements_in_one_text(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 AS a; SELECT 'x' AS b, 2; UPDATE " + TABLE + " SET amount = 0 WHERE id = 100")
        return each_result(cursor, described)


@operation
def several_statements_with_an_error_in_the_middle(connection):
    return execute(connection, f"UPDATE {TABLE} SET amount = 77; SELECT 1/0; SELECT 3")


@operation
def the_error_in_the_middle_took_all_back(connection):
    return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE amount = 77")


@operation
def an_empty_text(connection):
    return execute(connection, "")


@operation
def only_a_comment(connection):
    return execute(connection, "-- nothing")


@operation
def several_statements_are_not_prepared(connection):
    with pytest.raises(psycopg.errors.SyntaxError) as error:
        execute(connection, "SELECT 1; SELECT %s", 2)
    return error.value.diag.message_primary


@operation
def a_server_side_cursor(connection):
    with connection.transaction(), connection.cursor("named") as cursor:
        cursor.execute("SELECT g FROM generate_series(1, 100) g")
        return cursor.fetchone(), cursor.fetchmany(7), cursor.fetchall()[-1], cursor.description[0].type_code


@operation
def a_scrollable_cursor(connection):
    with connection.transaction(), connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT g FROM generate_series(1, 100) g")
        cursor.scroll(50)
        found = [cursor.fetchone()]
        cursor.scroll(-10)
        found.append(cursor.fetchmany(3))
        cursor.scroll(0, mode="absolute")
        return found, cursor.fetchone()


@operation
def a_cursor_that_outlives_its_transaction(connection):
    with connection.cursor("held", withhold=True) as cursor:
        cursor.execute("SELECT g FROM generate_series(1, 20) g")
        return [row for row in cursor]


@operation
def a_binary_cursor_with_parameters(connection):
    with connection.transaction(), connection.cursor("bin", binary=True) as cursor:
        cursor.execute("SELECT %s::int8 + g FROM generate_series(1, 9) g", (10,))
        return cursor.fetchall()


@operation
def a_cursor_outside_of_a_transaction(connection):
    return execute(connection, "DECLARE c CURSOR FOR SELECT 1")


@operation
def rows_streamed_one_by_one(connection):
    with connection.cursor() as cursor:
        return list(cursor.stream("SELECT g, g::text FROM generate_series(1, %s) g", (500,)))


@operation
def a_stream_that_fails_late(connection):
    with connection.cursor() as cursor:
        return list(cursor.stream("SELECT 1 / (500 - g) FROM generate_series(1, 1000) g"))


@operation
def rows_as_dictionaries(connection):
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT 1 AS a, 'b' AS b").fetchall()


@operation
def copy_in_by_rows(connection):
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {TABLE} (id, name, amount) FROM STDIN") as copy:
            for n in range(1000, 3000):
                copy.write_row((n, f"tab\t and \\ {n}", decimal.Decimal(n) / 4))
        return cursor.statusmessage, cursor.rowcount


@operation
def copy_in_binary(connection):
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {TABLE} (id, name) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for n in range(3000, 3500):
                copy.write_row((n, str(n)))
        return cursor.statusmessage


@operation
def copy_in_with_a_bad_row(connection):
    with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} (id, name) FROM STDIN") as copy:
        copy.write("4000\tgood\nbad\tbad\n")


@operation
def copy_in_that_the_client_gives_up(connection):
    try:
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} (id, name) FROM STDIN") as copy:
            copy.write_row((4001, "x"))
            raise ZeroDivisionError
    except ZeroDivisionError:
        return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id >= 4000")


@operation
def copy_out_as_csv(connection):
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {TABLE} TO STDOUT (FORMAT csv, HEADER)") as copy:
            return b"".join(bytes(block) for block in copy), cursor.statusmessage


@operation
def copy_out_by_rows(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT g, NULL, 'é' FROM generate_series(1, 300) g) TO STDOUT") as copy:
            copy.set_types(["int4", "text", "text"])
            return list(copy.rows())


@operation
def copy_out_binary(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT g, now() - now() FROM generate_series(1, 9) g) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "interval"])
            return list(copy.rows())


@operation
def copy_out_that_fails_late(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY (SELECT 1 / (500 - g) FROM generate_series(1, 1000) g) TO STDOUT") as copy:
            return len(list(copy))


@operation
def copy_of_a_missing_table(connection):
    with connection.cursor() as cursor, cursor.copy("COPY orders_mart.nowhere TO STDOUT") as copy:
        return list(copy)


@operation
def copy_in_a_transaction_that_is_rolled_back(connection):
    with connection.transaction(force_rollback=True):
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} (id, name) FROM STDIN") as copy:
            copy.write_row((5000, "x"))
    return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id = 5000")


@operation
def a_transaction(connection):
    with connection.transaction():
        connection.execute(f"INSERT INTO {TABLE} VALUES (6000, 'kept', 0, NULL)")
        inside = connection.info.transaction_status.name
    return inside, execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id = 6000")


@operation
def nested_transactions_are_savepoints(connection):
    with connection.transaction():
        connection.execute(f"INSERT INTO {TABLE} VALUES (6001, 'kept', 0, NULL)")
        with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
            connection.execute(f"INSERT INTO {TABLE} VALUES (6002, 'lost', 0, NULL)")
            connection.execute("SELECT 1/0")
    return execute(connection, f"SELECT id FROM {TABLE} WHERE id IN (6001, 6002)")


@operation
def statements_in_a_failed_transaction(connection):
    found = []
    connection.execute("BEGIN")
    for sql in ["SELECT 1/0", "SELECT 1", "SAVEPOINT s", "COMMIT", "SELECT 2"]:
        found.append(outcome(connection, statement(sql)))
    return found


@operation
def a_begin_in_a_transaction_warns(connection):
    found = [outcome(connection, statement(sql)) for sql in ["BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK"]]
    return found


@operation
def isolation_levels(connection):
    connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    connection.read_only = True
    with connection.transaction():
        found = [execute(connection, "SHOW transaction_isolation"), execute(connection, "SHOW transaction_read_only")]
    connection.isolation_level = connection.read_only = None
    return found


@operation
def a_write_in_a_read_only_transaction(connection):
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute(f"DELETE FROM {TABLE}")


@operation
def a_pipeline(connection):
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int * 2", (n,)) for n in range(50)]
    return [described(cursor) for cursor in cursors]


@operation
def a_pipeline_with_syncs(connection):
    with connection.pipeline() as pipeline:
        first = connection.execute("SELECT 'a'")
        pipeline.sync()
        second = connection.execute("SELECT 'b'")
        found = first.fetchone()
        pipeline.sync()
        return found, second.fetchone()


@operation
def a_pipeline_with_an_error(connection):
    found = []
    try:
        with connection.pipeline():
            connection.execute(f"INSERT INTO {TABLE} VALUES (7000, 'lost', 0, NULL)")
            connection.execute("SELECT 1/0")
            connection.execute("SELECT 'skipped'")
    except psycopg.Error as error:
        found.append((type(error).__name__, error.sqlstate))
    return found, execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id = 7000")


@operation
def a_pipeline_in_a_transaction(connection):
    with connection.pipeline(), connection.transaction():
        connection.execute(f"INSERT INTO {TABLE} VALUES (7001, 'kept', 0, NULL)")
        cursor = connection.execute(f"SELECT count(*) FROM {TABLE} WHERE id = 7001")
        return cursor.fetchone()


@operation
def types_looked_up_in_the_catalog(connection):
    found = psycopg.types.TypeInfo.fetch(connection, "jsonb")
    return found.name, found.oid, found.array_oid


@operation
def the_connection_tells_of_its_server(connection):
    info = connection.info
    return (info.server_version, info.encoding, info.vendor, info.dbname, str(info.timezone),
            info.parameter_status("DateStyle"), info.parameter_status("IntervalStyle"),
            info.parameter_status("integer_datetimes"), info.parameter_status("server_version"),
            info.parameter_status("standard_conforming_strings"))


@operation
def a_changed_parameter_is_told(connection):
    connection.execute("SET TIME ZONE 'Europe/Amsterdam'")
    found = (connection.info.parameter_status("TimeZone"), execute(connection, "SELECT TIMESTAMPTZ '2026-07-01 00:00Z'"))
    connection.execute("RESET TIME ZONE")
    return repr(found[1]), found[0]


@operation
def a_changed_parameter_is_taken_back(connection):
    with connection.transaction(force_rollback=True):
        connection.execute("SET application_name = 'inside'")
        inside = connection.info.parameter_status("application_name")
    return inside, connection.info.parameter_status("application_name") == inside


@operation
def a_statement_that_is_cancelled(connection):
    with pytest.raises(psycopg.errors.QueryCanceled) as error:
        connection.execute("SET statement_timeout = 100; SELECT count(*) FROM generate_series(1, 100000000)")
    connection.execute("RESET statement_timeout")
    return error.value.diag.message_primary


@operation
def the_table_is_dropped(connection):
    return execute(connection, f"DROP TABLE {TABLE}")


PLAYED = (
    {sql: statement(sql) for sql in STATEMENTS}
    | {f"binary, prepared: {sql}": statement(sql, binary=True, prepare=True) for sql in STATEMENTS}
)
# The table is made twice over, and filled before the operations.
PLAYED |= {
    "made again": statement(STATEMENTS[0] + ";" + STATEMENTS[1]), **operation,
}


@pytest.fixture(scope="module")
def outcomes(demo):
    assert len(PLAYED) >= 60
    found = {}
    for where, target in targets(demo).items():
        with connect(target) as connection:
            found[where] = {name: outcome(connection, play) for name, play in PLAYED.items()}
    return found


@pytest.mark.parametrize("name", as_parameters(PLAYED))
def test_an_operation_gives_what_it_gives_directly(outcomes, name):
    assert_same(outcomes, name)
