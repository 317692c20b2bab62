"""redshift_connector: a session direct and through the gate; refusals leave what a server's error leaves."""

import datetime
import decimal
import os
import socket
import struct
import threading
from contextlib import contextmanager
from unittest import mock

import psycopg
import pytest
import redshift_connector

from compare import Operations, Target, as_parameters, assert_same, statements, targets

TABLE = "orders_mart.drivers_redshift"
STATEMENTS = statements(TABLE)
# The driver knows no SCRAM: straight at PostgreSQL it is let in by a line of its own.
DIRECT_USER = "redshift_connector_direct"
# What the driver says at the start and PostgreSQL knows; the rest is for Redshift.
KNOWN = {b"user", b"database", b"application_name"}
operation = Operations()


def received(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        assert more, "the driver closed the connection"
        data += more
    return data


def startup_for_postgres(client):
    length, version = struct.unpack("!ii", received(client, 8))
    words = received(client, length - 8).split(b"\0")
    pairs = zip(words[0:-2:2], words[1:-2:2], strict=True)
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in pairs if name in KNOWN) + b"\0"
    return struct.pack("!ii", len(kept) + 8, version) + kept


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # The other end has gone: so does this.
        sink.close()


@contextmanager
def pipe_to(port):
    """A port that leads to PostgreSQL's, once, but for the words at the start that it does not know."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def carry():
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", port))
            server.sendall(startup_for_postgres(client))
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)

        threading.Thread(target=carry, daemon=True).start()
        yield listener.getsockname()[1]


def as_redshift_tells(handle):
    """The version as Redshift gives it: the driver cannot read Debian's, and counts rows by it."""
    def handled(connection, data, state):
        told = b"server_version\0" + b"8.0.2\0" if data.startswith(b"server_version\0") else data
        return handle(connection, told, state)

    return handled


@contextmanager
def connect(target):
    common = {"database": target.database, "user": target.user, "password": target.password}
    if target.ca:
        with mock.patch.dict(os.environ, {"SSL_CERT_FILE": target.ca}):
            connection = redshift_connector.connect(
                host=target.host, port=target.port, ssl=True, sslmode="verify-full", **common
            )
    else:
        driver = redshift_connector.Connection
        handle = as_redshift_tells(driver.handle_PARAMETER_STATUS)
        with pipe_to(target.port) as port, mock.patch.object(driver, "handle_PARAMETER_STATUS", handle):
            connection = redshift_connector.connect(host="127.0.0.1", port=port, ssl=False, **common)
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def described(cursor):
    rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else None
    return cursor.description, cursor.rowcount, rows


def error_of(error):
    fields = error.args[0] if error.args else ""
    return type(error).__name__, dict(sorted(fields.items())) if isinstance(fields, dict) else str(error)


def outcome(connection, play):
    connection.notices.clear()
    try:
        found = play(connection)
    except redshift_connector.Error as error:
        found = error_of(error)
    return found, [sorted(notice.items()) for notice in connection.notices]


def statement(sql):
    def play(connection):
        return execute(connection, sql)

    return play


def execute(connection, sql, parameters=None, style=None):
    with connection.cursor() as cursor:
        if style:
            cursor.paramstyle = style
        cursor.execute(sql, parameters)
        return described(cursor)


@contextmanager
def transaction(connection):
    connection.autocommit = False
    try:
        yield
    finally:
        connection.rollback()
        connection.autocommit = True


@operation
def parameters_of_many_types(connection):
    values = (1, 2**40, 1.5, decimal.Decimal("1.10"), "text", True, None, datetime.date(2026, 1, 1),
              datetime.datetime(2026, 1, 1, 12, 30))
    return execute(connection, "SELECT " + ", ".join(["%s"] * len(values)), values)


@operation
def parameters_by_number(connection):
    return execute(connection, "SELECT :1::int + :2::int", (1, 2), "numeric")


@operation
def parameters_by_name(connection):
    return execute(connection, "SELECT :one::int, :two::text", {"one": 1, "two": "b"}, "named")


@operation
def parameters_by_question_mark(connection):
    return execute(connection, "SELECT ?::int, ?::text", (1, "b"), "qmark")


@operation
def a_statement_many_times(connection):
    return [execute(connection, "SELECT %s::int * 2", (n,)) for n in range(20)]


@operation
def executemany_counts_its_rows(connection):
    execute(connection, f"CREATE TABLE {TABLE} (id int PRIMARY KEY, name text)")
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {TABLE} VALUES (%s, %s)", [(n, f"n{n}") for n in range(50)])
        return cursor.rowcount


@operation
def executemany_with_an_error(connection):
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {TABLE} VALUES (%s, %s)", [(100, "a"), (1, "twice"), (101, "b")])


@operation
def rows_after_an_error(connection):
    return execute(connection, f"SELECT count(*), max(id) FROM {TABLE}")


@operation
def rows_one_by_one(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT g FROM generate_series(1, 500) g")
        return cursor.fetchone(), cursor.fetchmany(10), len(cursor.fetchall()), cursor.fetchone()


@operation
def two_cursors_of_a_connection(connection):
    with connection.cursor() as one, connection.cursor() as other:
        one.execute("SELECT 1")
        other.execute("SELECT 2")
        return one.fetchall(), other.fetchall()


@operation
def a_transaction_is_committed(connection):
    with transaction(connection):
        execute(connection, f"INSERT INTO {TABLE} VALUES (200, 'kept')")
        connection.commit()
    return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id = 200")


@operation
def a_transaction_is_rolled_back(connection):
    with transaction(connection):
        execute(connection, f"INSERT INTO {TABLE} VALUES (201, 'lost')")
    return execute(connection, f"SELECT count(*) FROM {TABLE} WHERE id = 201")


@operation
def statements_in_a_failed_transaction(connection):
    with transaction(connection):
        return [outcome(connection, statement(sql)) for sql in ("SELECT 1", "SELECT 1/0", "SELECT 1", "SELECT 2")]


@operation
def savepoints(connection):
    with transaction(connection):
        return [outcome(connection, statement(sql)) for sql in
                ("SAVEPOINT s", "SELECT 1/0", "ROLLBACK TO s", "SELECT 3", "RELEASE s")]


@operation
def a_cursor_of_sql(connection):
    with transaction(connection):
        return [outcome(connection, statement(sql)) for sql in
                ("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 100) g", "FETCH 10 FROM c", "FETCH ALL FROM c",
                 "FETCH 1 FROM c", "CLOSE c")]


@operation
def what_the_catalog_shows(connection):
    return execute(connection, "SELECT table_schema, table_name FROM information_schema.tables"
                               " WHERE table_schema = 'orders' ORDER BY 1, 2")


@operation
def the_table_is_dropped(connection):
    return execute(connection, f"DROP TABLE {TABLE}")


# The statements leave their table behind.
PLAYED = {sql: statement(sql) for sql in STATEMENTS} | {"dropped": statement(f"DROP TABLE {TABLE}"), **operation}


@pytest.fixture(scope="module")
def both(demo):
    """The warehouse itself, which lets the driver in without a password, and the gate."""
    direct, gate = targets(demo)["direct"], targets(demo)["gate"]
    with psycopg.connect(
        host=direct.host, port=direct.port, dbname=direct.database, user=direct.user, password=direct.password,
        autocommit=True,
    ) as superuser:
        file = superuser.execute("SHOW hba_file").fetchone()[0]
        lines = superuser.execute("SELECT pg_read_file(%s)", (file,)).fetchone()[0]

        def write(text):
            superuser.execute(
                psycopg.sql.SQL("COPY (SELECT unnest(string_to_array({}, E'\\n'))) TO {}").format(text, file)
            )
            superuser.execute("SELECT pg_reload_conf()")

        superuser.execute(f"CREATE ROLE {DIRECT_USER} SUPERUSER LOGIN")
        write(f"host all {DIRECT_USER} 127.0.0.1/32 trust\n{lines}".rstrip("\n"))
        yield {"direct": Target(direct.host, direct.port, direct.database, DIRECT_USER, "none", None), "gate": gate}
        write(lines.rstrip("\n"))
        superuser.execute(f"DROP ROLE {DIRECT_USER}")


@pytest.fixture(scope="module")
def outcomes(both):
    assert len(PLAYED) >= 60
    found = {}
    for where, target in both.items():
        with connect(target) as connection:
            found[where] = {name: outcome(connection, play) for name, play in PLAYED.items()}
    return found


@pytest.mark.parametrize("name", as_parameters(PLAYED))
def test_an_operation_gives_what_it_gives_directly(outcomes, name):
    assert_same(outcomes, name)


def after_a_failure(connection, failing, failing_many):
    """What follows a statement that fails: by itself, in a transaction, behind a savepoint, among many."""
    probes = [outcome(connection, statement("SELECT 42"))]
    with pytest.raises(redshift_connector.Error):
        execute(connection, failing)
    probes.append(outcome(connection, statement("SELECT 42")))
    with transaction(connection):
        execute(connection, "SELECT 1")
        with pytest.raises(redshift_connector.Error):
            execute(connection, failing)
        probes += [outcome(connection, statement(sql)) for sql in ("SELECT 1", "ROLLBACK", "SELECT 2")]
    with transaction(connection):
        execute(connection, "SAVEPOINT s")
        with pytest.raises(redshift_connector.Error):
            execute(connection, failing)
        probes += [outcome(connection, statement(sql)) for sql in ("SELECT 1", "ROLLBACK TO s", "SELECT 3")]
    with connection.cursor() as cursor, pytest.raises(redshift_connector.Error):
        cursor.executemany(failing_many, [("a",), ("b",)])
    probes.append(outcome(connection, statement("SELECT 42")))
    return probes


def test_a_refusal_leaves_what_an_error_of_the_server_leaves(both):
    with connect(both["direct"]) as direct, connect(both["gate"]) as gate:
        expected = after_a_failure(
            direct, "SELECT * FROM orders.nowhere", "DELETE FROM orders.nowhere WHERE relname = %s"
        )
        found = after_a_failure(
            gate, "GRANT SELECT ON orders.orders TO public", "DELETE FROM pg_catalog.pg_class WHERE relname = %s"
        )
        assert found == expected
