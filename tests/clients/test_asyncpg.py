"""asyncpg: a session direct and through the gate."""

import asyncio
import datetime
import decimal
import io
import json
import ssl
import uuid

import asyncpg
import pytest

from compare import Operations, as_parameters, assert_same, statements, targets

TABLE = "orders_mart.drivers_asyncpg"
STATEMENTS = statements(TABLE)
PATIENCE_SECONDS = 120
operation = Operations()


class Session(asyncpg.Connection):
    __slots__ = ("seen", "target")


async def connect(target, **options):
    tls = ssl.create_default_context(cafile=target.ca) if target.ca else False
    connection = await asyncpg.connect(
        host=target.host, port=target.port, database=target.database, user=target.user, password=target.password,
        ssl=tls, connection_class=Session, **options,
    )
    connection.target = target
    connection.seen = []
    connection.add_log_listener(
        lambda _, notice: connection.seen.append((notice.severity, notice.sqlstate, notice.message))
    )
    return connection


async def outcome(connection, play):
    connection.seen.clear()
    try:
        found = await play(connection)
    except asyncpg.PostgresError as error:
        found = (type(error).__name__, error.sqlstate, error.message, error.detail, error.hint, error.position,
                 error.constraint_name, error.server_source_function)
    except (asyncpg.InterfaceError, AttributeError) as error:
        found = (type(error).__name__, str(error))
    # Listeners are called by the loop.
    await asyncio.sleep(0)
    return found, list(connection.seen), connection.is_in_transaction()


def statement(sql):
    async def play(connection):
        prepared = await connection.prepare(sql)
        columns = [(column.name, column.type.oid, column.type.name) for column in prepared.get_attributes()]
        rows = await prepared.fetch()
        return columns, [tuple(row) for row in rows], prepared.get_statusmsg()

    return play


def simple(sql):
    async def play(connection):
        return await connection.execute(sql)

    return play


def fetched(sql, *parameters):
    async def play(connection):
        return [tuple(row) for row in await connection.fetch(sql, *parameters)]

    return play


@operation
async def parameters_are_described(connection):
    prepared = await connection.prepare("SELECT $1::int, $2::text, $3::jsonb, $4::numeric[]")
    return [(of.oid, of.name, of.kind) for of in prepared.get_parameters()]


@operation
async def parameters_of_many_types(connection):
    return tuple(await connection.fetchrow(
        "SELECT $1::int2, $2::int8, $3::float8, $4::numeric, $5::text, $6::bytea, $7::bool, $8::date, $9::timestamptz,"
        " $10::interval, $11::uuid, $12::int[], $13::text[], $14::time",
        1, 2**40, 1.5, decimal.Decimal("1.10"), "ü", b"\x00", True, datetime.date(2026, 1, 1),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), datetime.timedelta(hours=30),
        uuid.UUID(int=7), [1, None], ["a", "b"], datetime.time(1, 2, 3),
    ))


@operation
async def a_parameter_of_the_wrong_type(connection):
    try:
        return await connection.fetchval("SELECT $1::int", "x")
    except asyncpg.DataError as error:
        return str(error)


@operation
async def too_few_parameters(connection):
    return await connection.fetchval("SELECT $1::int + $2::int", 1)


@operation
async def one_value(connection):
    return await connection.fetchval("SELECT 42"), await connection.fetchrow("SELECT 1 WHERE false")


@operation
async def a_statement_is_run_again_from_the_cache(connection):
    return [await connection.fetchval("SELECT $1::int * 3", n) for n in range(20)]


@operation
async def a_cached_statement_whose_table_changes(connection):
    await connection.execute("CREATE TEMP TABLE changing (a int)")
    found = [[tuple(row) for row in await connection.fetch("SELECT * FROM changing")]]
    await connection.execute("ALTER TABLE changing ADD COLUMN b int; INSERT INTO changing VALUES (1, 2)")
    try:
        found += [tuple(row) for row in await connection.fetch("SELECT * FROM changing")]
    finally:
        await connection.execute("DROP TABLE changing")
    return found


@operation
async def a_named_prepared_statement_is_closed(connection):
    prepared = await connection.prepare("SELECT 'named'", name="of_mine")
    found = await prepared.fetchval(), prepared.get_name(), await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name = 'of_mine'")
    del prepared
    return found


@operation
async def the_plan_of_a_prepared_statement(connection):
    prepared = await connection.prepare("SELECT count(*) FROM orders.orders WHERE id < 0")
    return (await prepared.explain())[0]["Plan"]["Node Type"]


@operation
async def executemany(connection):
    await connection.executemany(f"INSERT INTO {TABLE} VALUES ($1, $2, 0, NULL)", [(n, str(n)) for n in range(100, 2100)])
    return await connection.fetchval(f"SELECT count(*) FROM {TABLE}")


@operation
async def executemany_that_fails_takes_all_back(connection):
    try:
        await connection.executemany(f"INSERT INTO {TABLE} VALUES ($1, 'x', 0, NULL)", [(5000,), (100,), (5001,)])
    except asyncpg.UniqueViolationError as error:
        return error.detail, await connection.fetchval(f"SELECT count(*) FROM {TABLE} WHERE id >= 5000")


@operation
async def fetchmany(connection):
    rows = await connection.fetchmany(f"UPDATE {TABLE} SET amount = $2 WHERE id = $1 RETURNING id, amount", [(100, 1), (101, 2)])
    return [tuple(row) for row in rows]


@operation
async def a_cursor_iterated_with_prefetch(connection):
    async with connection.transaction():
        found = [row[0] async for row in connection.cursor("SELECT g FROM generate_series(1, $1) g", 1000, prefetch=30)]
    return found


@operation
async def a_cursor_fetched_and_moved(connection):
    async with connection.transaction():
        cursor = await connection.cursor("SELECT g FROM generate_series(1, 100) g")
        found = [await cursor.fetchrow(), await cursor.forward(10), await cursor.fetch(5), await cursor.fetch(500)]
    return [str(item) for item in found]


@operation
async def two_cursors_at_once(connection):
    async with connection.transaction():
        first = await connection.cursor("SELECT g FROM generate_series(1, 9) g")
        second = await connection.cursor("SELECT -g FROM generate_series(1, 9) g")
        found = []
        for _ in range(3):
            found += [(await first.fetchrow())[0], (await second.fetchrow())[0]]
    return found


@operation
async def a_cursor_outside_of_a_transaction(connection):
    return await connection.cursor("SELECT 1")


@operation
async def a_cursor_left_before_its_end(connection):
    async with connection.transaction():
        async for row in connection.cursor("SELECT g FROM generate_series(1, 1000) g", prefetch=10):
            if row[0] == 15:
                break
    return await connection.fetchval("SELECT 1")


@operation
async def a_cursor_whose_rows_fail_late(connection):
    async with connection.transaction():
        return [row[0] async for row in connection.cursor("SELECT 1 / (50 - g) FROM generate_series(1, 100) g", prefetch=10)]


@operation
async def records_copied_to_a_table(connection):
    records = [(n, f"r{n}", None, None) for n in range(10000, 15000)]
    return await connection.copy_records_to_table("drivers_asyncpg", schema_name="orders_mart", records=records,
                                                  columns=["id", "name", "amount", "at"])


@operation
async def csv_copied_to_a_table(connection):
    source = io.BytesIO(b"id,name\n" + b"".join(b"%d,\"q\"\"%d\"\n" % (n, n) for n in range(20000, 20500)))
    return await connection.copy_to_table("drivers_asyncpg", schema_name="orders_mart", source=source,
                                          columns=["id", "name"], format="csv", header=True)


@operation
async def a_bad_record_copied_to_a_table(connection):
    source = io.BytesIO(b"30000\tx\nbad\ty\n")
    return await connection.copy_to_table("drivers_asyncpg", schema_name="orders_mart", source=source, columns=["id", "name"])


@operation
async def a_source_that_breaks_in_a_copy(connection):
    async def broken():
        yield b"30001\tx\n"
        raise ZeroDivisionError

    try:
        await connection.copy_to_table("drivers_asyncpg", schema_name="orders_mart", source=broken(), columns=["id", "name"])
    except ZeroDivisionError:
        return await connection.fetchval(f"SELECT count(*) FROM {TABLE} WHERE id >= 30000")


@operation
async def a_table_copied_out(connection):
    found = io.BytesIO()
    status = await connection.copy_from_table("drivers_asyncpg", schema_name="orders_mart", output=found, format="csv")
    return status, sorted(found.getvalue().splitlines())


@operation
async def a_query_copied_out(connection):
    found = io.BytesIO()
    status = await connection.copy_from_query("SELECT g, $1::text FROM generate_series(1, 3000) g", "it's", output=found)
    return status, found.getvalue()


@operation
async def a_query_copied_out_in_binary(connection):
    found = io.BytesIO()
    return await connection.copy_from_query("SELECT 1, 2.5::float8", output=found, format="binary"), found.getvalue()


@operation
async def a_missing_table_copied_out(connection):
    return await connection.copy_from_table("nowhere", schema_name="orders_mart", output=io.BytesIO())


@operation
async def a_transaction_is_taken_back(connection):
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"DELETE FROM {TABLE}")
    inside = await connection.fetchval(f"SELECT count(*) FROM {TABLE}")
    await transaction.rollback()
    return inside, await connection.fetchval(f"SELECT count(*) FROM {TABLE}")


@operation
async def nested_transactions(connection):
    found = []
    async with connection.transaction():
        await connection.execute(f"INSERT INTO {TABLE} VALUES (40000, 'kept', 0, NULL)")
        try:
            async with connection.transaction():
                await connection.execute(f"INSERT INTO {TABLE} VALUES (40001, 'lost', 0, NULL)")
                await connection.fetch("SELECT 1/0")
        except asyncpg.DivisionByZeroError as error:
            found.append(error.sqlstate)
    return found, await connection.fetch(f"SELECT id FROM {TABLE} WHERE id >= 40000")


@operation
async def a_failed_transaction(connection):
    found = []
    for sql in ["BEGIN", "SELECT 1/0", "SELECT 1", "COMMIT", "SELECT 2"]:
        found.append(await outcome(connection, simple(sql)))
    return found


@operation
async def a_failed_transaction_with_prepared_statements(connection):
    await connection.execute("BEGIN")
    found = []
    for sql in ["SELECT $1::int / 0", "SELECT $1::int"]:
        found.append(await outcome(connection, fetched(sql, 1)))
    await connection.execute("ROLLBACK")
    return found, await connection.fetchval("SELECT $1::int", 3)


@operation
async def an_isolated_read_only_transaction(connection):
    async with connection.transaction(isolation="repeatable_read", readonly=True, deferrable=True):
        found = [await connection.fetchval("SHOW transaction_isolation")]
        await connection.execute(f"DELETE FROM {TABLE}")
    return found


@operation
async def several_statements_in_one_text(connection):
    return await connection.execute(f"SELECT 1; UPDATE {TABLE} SET amount = 3 WHERE id < 110; SELECT 2")


@operation
async def several_statements_prepared(connection):
    try:
        return await connection.fetch("SELECT 1; SELECT 2")
    except asyncpg.PostgresSyntaxError as error:
        return error.message


@operation
async def an_empty_text(connection):
    return await connection.execute(""), await connection.fetch("")


@operation
async def a_custom_codec(connection):
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    return await connection.fetchval("SELECT $1::jsonb || '{\"b\": null}'", {"a": [1]})


@operation
async def an_enumerated_type_is_looked_up(connection):
    found = await connection.fetchrow("SELECT typtype, typcategory, oid::regtype::text FROM pg_type WHERE typname = 'int4range'")
    return tuple(found), str(await connection.fetchval("SELECT '[1,5)'::int4range"))


@operation
async def rows_of_a_composite_type(connection):
    return [tuple(row) for row in await connection.fetch(f"SELECT (t).id, t FROM {TABLE} t WHERE id = 100")]


@operation
async def arrays_of_composites(connection):
    return str(await connection.fetchval(f"SELECT array_agg(t) FROM {TABLE} t WHERE id IN (100, 101)"))


@operation
async def a_statement_that_times_out(connection):
    try:
        return await connection.fetchval("SELECT count(*) FROM generate_series(1, 100000000)", timeout=0.3)
    except asyncio.TimeoutError:
        return "timed out", await connection.fetchval("SELECT 'goes on'")


@operation
async def a_task_that_is_cancelled(connection):
    task = asyncio.ensure_future(connection.fetchval("SELECT count(*) FROM generate_series(1, 100000000)"))
    await asyncio.wait([task], timeout=0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return await connection.fetchval("SELECT 'goes on'")


@operation
async def two_statements_at_once(connection):
    return [str(found) for found in await asyncio.gather(
        connection.fetchval("SELECT 1"), connection.fetchval("SELECT 2"), return_exceptions=True
    )]


@operation
async def settings_of_the_server(connection):
    settings = connection.get_settings()
    return (connection.get_server_version(), settings.client_encoding, settings.server_version, settings.DateStyle,
            settings.integer_datetimes, settings.IntervalStyle, settings.TimeZone, settings.standard_conforming_strings)


@operation
async def the_connection_is_reset(connection):
    await connection.execute("SET extra_float_digits = 2; BEGIN; CREATE TEMP TABLE unfinished (a int)")
    await connection.reset()
    return await connection.fetchval("SHOW extra_float_digits"), connection.is_in_transaction()


@operation
async def a_pool(connection):
    pool = asyncpg.create_pool(min_size=2, max_size=4, connect=lambda *_, **__: connect(connection.target))
    async with pool:
        found = await asyncio.gather(*[pool.fetchval("SELECT $1::int", n) for n in range(40)])
        async with pool.acquire() as held, held.transaction():
            await held.execute("CREATE TEMP TABLE held (a int)")
    return found


@operation
async def settings_given_at_the_start(connection):
    other = await connect(connection.target, server_settings={"application_name": "asked", "search_path": "orders"})
    try:
        return await other.fetchval("SHOW application_name"), await other.fetchval("SELECT count(*) FROM orders")
    finally:
        await other.close()


PLAYED = (
    {sql: statement(sql) for sql in STATEMENTS}
    | {f"simple: {sql}": simple(sql) for sql in STATEMENTS}
    | {"made again": simple(STATEMENTS[0] + ";" + STATEMENTS[1]), **operation}
    | {"the table is dropped": simple(f"DROP TABLE {TABLE}")}
)


async def play(target):
    connection = await connect(target)
    found = {}
    for name, play in PLAYED.items():
        found[name] = await asyncio.wait_for(outcome(connection, play), PATIENCE_SECONDS)
    await connection.close()
    return found


@pytest.fixture(scope="module")
def outcomes(demo):
    assert len(PLAYED) >= 60
    return {where: asyncio.run(play(target)) for where, target in targets(demo).items()}


@pytest.mark.parametrize("name", as_parameters(PLAYED))
def test_an_operation_gives_what_it_gives_directly(outcomes, name):
    assert_same(outcomes, name)
