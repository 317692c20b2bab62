"""What a refusal leaves behind in psycopg 3 and asyncpg is what an error of the server leaves."""

import asyncio
from dataclasses import dataclass

import asyncpg
import psycopg
import pytest

import test_asyncpg
import test_psycopg
from compare import targets

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Failing:
    """Statements that fail: by the server's word on the one side, by the gate's on the other."""

    query: str
    change: str


FAILING = {
    "direct": Failing("SELECT * FROM orders.nowhere", "DELETE FROM orders.nowhere WHERE relname = {}"),
    "gate": Failing("SELECT pg_read_file('/etc/hostname')", "DELETE FROM pg_catalog.pg_class WHERE relname = {}"),
}


def of_psycopg(scene):
    """A scene on both connections, with what was seen in it."""
    def play(target, failing):
        seen = []
        with test_psycopg.connect(target) as connection:
            def probe(*texts):
                for sql in texts:
                    seen.append((sql, test_psycopg.outcome(connection, test_psycopg.statement(sql))))

            scene(connection, failing, probe)
            probe("SELECT 'the end'")
        return seen

    return play


@of_psycopg
def a_pipeline(connection, failing, probe):
    cursors = [connection.cursor() for _ in range(4)]
    with pytest.raises(psycopg.Error), connection.pipeline():
        for cursor, sql in zip(cursors, ["SELECT 1", "SELECT 2", failing.query, "SELECT 3"], strict=True):
            cursor.execute(sql)
    probe("SELECT 42")
    assert [cursor.statusmessage for cursor in cursors] == ["SELECT 1", "SELECT 1", None, None]


@of_psycopg
def a_pipeline_that_goes_on_behind_a_sync(connection, failing, probe):
    with connection.pipeline() as pipeline:
        first = connection.execute("SELECT 1")
        pipeline.sync()
        with pytest.raises(psycopg.Error):
            connection.execute(failing.query).fetchone()
        pipeline.sync()
        assert connection.execute("SELECT 3").fetchone() == (3,)
        assert first.fetchone() == (1,)
    probe("SELECT 42")


@of_psycopg
def a_pipeline_in_a_transaction(connection, failing, probe):
    connection.execute("CREATE TEMP TABLE kept (a int)")
    with pytest.raises(psycopg.Error), connection.pipeline(), connection.transaction():
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.execute(failing.query)
        connection.execute("INSERT INTO kept VALUES (2)")
    probe("SELECT count(*) FROM kept")


@of_psycopg
def a_transaction(connection, failing, probe):
    connection.execute("BEGIN")
    with pytest.raises(psycopg.Error):
        connection.execute(failing.query)
    probe("SELECT 1", "SAVEPOINT s", "COMMIT", "SELECT 2")


@of_psycopg
def a_savepoint(connection, failing, probe):
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE kept (a int)")
        with pytest.raises(psycopg.Error), connection.transaction():
            connection.execute("INSERT INTO kept VALUES (1)")
            connection.execute(failing.query)
        probe("SELECT count(*) FROM kept")
    probe("SELECT count(*) FROM kept")


@of_psycopg
def many_parameters(connection, failing, probe):
    with connection.cursor() as cursor, pytest.raises(psycopg.Error):
        cursor.executemany(failing.change.format("%s"), [(str(n),) for n in range(20)])
    probe("SELECT 42")


@of_psycopg
def a_prepared_statement(connection, failing, probe):
    for _ in range(2):
        with pytest.raises(psycopg.Error):
            connection.execute(failing.change.format("%s"), ("a",), prepare=True)
    probe("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%relname%' AND statement NOT LIKE '%count%'")


@of_psycopg
def a_cursor_of_the_server(connection, failing, probe):
    with pytest.raises(psycopg.Error), connection.transaction(), connection.cursor("pieces") as cursor:
        cursor.execute(failing.query)
    probe("SELECT 42")


@of_psycopg
def a_copy(connection, failing, probe):
    with connection.cursor() as cursor, pytest.raises(psycopg.Error), cursor.copy(f"COPY ({failing.query}) TO STDOUT"):
        pass
    probe("SELECT 42")


@of_psycopg
def several_statements(connection, failing, probe):
    connection.execute("CREATE TEMP TABLE kept (a int)")
    with pytest.raises(psycopg.Error):
        connection.execute(f"INSERT INTO kept VALUES (1); {failing.query}; INSERT INTO kept VALUES (2)")
    probe("SELECT count(*) FROM kept")


OF_PSYCOPG = [
    a_pipeline, a_pipeline_that_goes_on_behind_a_sync, a_pipeline_in_a_transaction, a_transaction, a_savepoint,
    many_parameters, a_prepared_statement, a_cursor_of_the_server, a_copy, several_statements,
]


@pytest.mark.parametrize("number", range(len(OF_PSYCOPG)))
def test_psycopg_recovers_as_from_an_error_of_the_server(demo, number):
    both = {where: OF_PSYCOPG[number](target, FAILING[where]) for where, target in targets(demo).items()}
    assert both["gate"] == both["direct"]


async def played_by_asyncpg(target, failing):
    connection = await test_asyncpg.connect(target)
    seen = []

    async def probe(*texts):
        for sql in texts:
            for play in (test_asyncpg.simple(sql), test_asyncpg.fetched(sql)):
                seen.append((sql, await test_asyncpg.outcome(connection, play)))

    await connection.execute("CREATE TEMP TABLE kept (a int)")
    for fails in (connection.fetch, connection.execute, connection.prepare):
        with pytest.raises(asyncpg.PostgresError):
            await fails(failing.query)
        await probe("SELECT 42")
    for again in range(3):
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch(failing.change.format("$1"), str(again))
    await probe("SELECT count(*) FROM kept")
    with pytest.raises(asyncpg.PostgresError):
        await connection.executemany(failing.change.format("$1"), [(str(n),) for n in range(20)])
    await probe("SELECT 42")
    with pytest.raises(asyncpg.PostgresError):
        async with connection.transaction():
            await connection.execute("INSERT INTO kept VALUES (1)")
            await connection.fetch(failing.query)
    await probe("SELECT count(*) FROM kept")
    async with connection.transaction():
        await connection.execute("INSERT INTO kept VALUES (2)")
        with pytest.raises(asyncpg.PostgresError):
            async with connection.transaction():
                await connection.execute("INSERT INTO kept VALUES (3)")
                await connection.fetch(failing.query)
        await probe("SELECT sum(a) FROM kept")
    await connection.execute("BEGIN")
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetch(failing.query)
    await probe("SELECT 1", "ROLLBACK", "SELECT 2")
    async with connection.transaction():
        with pytest.raises(asyncpg.PostgresError):
            await connection.cursor(failing.query)
    with pytest.raises(asyncpg.PostgresError):
        await connection.copy_from_query(failing.query, output=lambda _: None)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(f"INSERT INTO kept VALUES (4); {failing.query}")
    await probe("SELECT sum(a) FROM kept")
    await connection.close()
    return seen


def test_asyncpg_recovers_as_from_an_error_of_the_server(demo):
    both = {
        where: asyncio.run(asyncio.wait_for(played_by_asyncpg(target, FAILING[where]), PATIENCE_SECONDS))
        for where, target in targets(demo).items()
    }
    assert len(both["direct"]) >= 20
    assert both["gate"] == both["direct"]


@pytest.mark.parametrize("prepare", [False, True], ids=["simple", "extended"])
@pytest.mark.parametrize("sql", [
    "SELEC 1",
    "-- of the day, é\nSELECT order_id status total FROM orders.orders",
    "SELECT order_id FROM orders.orders WHERE",
    "SELECT * FROM orders.orders WHERE order_id IN ()",
    "UPDATE orders_mart.nowhere order_id = 1",
])
def test_a_text_that_is_not_understood_is_pointed_at_where_the_server_would(demo, sql, prepare):
    positions = {}
    for where, target in targets(demo).items():
        with test_psycopg.connect(target) as connection:
            if prepare:
                found = connection.pgconn.prepare(b"", sql.encode())
            else:
                found = connection.pgconn.exec_(sql.encode())
            assert found.error_field(psycopg.pq.DiagnosticField.SEVERITY) == b"ERROR"
            positions[where] = found.error_field(psycopg.pq.DiagnosticField.STATEMENT_POSITION)
    assert positions["direct"] is not None
    assert positions["gate"] == positions["direct"]
