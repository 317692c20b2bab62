"""What clients do: each function is one piece of work on an open session, and says what is wrong by raising
`Wrong`. Errors that belong to the work are dealt with here; all others are the caller's."""

from threading import Event, Thread

import psycopg
from psycopg import errors

ORDERS = 5000
BIG = "SELECT g, repeat('x', 200) AS filler FROM generate_series(1, 2000000) AS g"
# Longer than what is left behind is waited for, and light on the machine.
LONG = "SELECT pg_sleep(120)"
REFUSED = (
    "UPDATE orders.orders SET total = 0",
    "DELETE FROM orders.orders WHERE order_id = 1",
    "DROP TABLE orders.orders",
    "CREATE TABLE orders.mine (a int)",
    "GRANT SELECT ON orders.orders TO PUBLIC",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT 1; TRUNCATE orders.orders",
)
FAULTY = {
    "SELECT 1 / 0": {"22012"},
    "SELECT * FROM orders.no_such_table": {"42P01"},
    "SELECT no_such_column FROM orders.orders": {"42703"},
    "SELEC 1": {"42601", "42501"},
    "SELECT 'a'::int": {"22P02"},
}


class Wrong(Exception):
    """An answer that no healthy gate gives."""


def expect(found, wanted, what):
    if found != wanted:
        raise Wrong(f"{what}: {found!r} in place of {wanted!r}")


def simple(session, random):
    number = random.randint(1, ORDERS)
    found = session.execute(f"SELECT order_id, status FROM orders.orders WHERE order_id = {number}").fetchone()
    expect(found, (number, f"status {number % 7}"), "a row")


def prepared(session, random):
    for _ in range(5):
        number = random.randint(1, ORDERS)
        text = random.choice(("SELECT order_id FROM orders.orders WHERE order_id = %s", "SELECT %s::int AS n"))
        expect(session.execute(text, (number,), prepare=True).fetchone(), (number,), "a prepared row")


def transaction(session, random):
    with session.transaction():
        for _ in range(random.randint(1, 4)):
            simple(session, random)
    expect(session.info.transaction_status.name, "IDLE", "the state after a transaction")


def pipeline(session, random):
    numbers = [random.randint(1, ORDERS) for _ in range(random.randint(2, 20))]
    text = "SELECT order_id FROM orders.orders WHERE order_id = %s"
    if random.random() < 0.3:
        refused_pipeline(session, text, numbers)
        return
    with session.pipeline():
        cursors = [session.execute(text, (number,)) for number in numbers]
    expect([cursor.fetchone() for cursor in cursors], [(number,) for number in numbers], "a pipeline's rows")


def refused_pipeline(session, text, numbers):
    try:
        with session.pipeline():
            for number in numbers:
                session.execute(text, (number,))
            session.execute(REFUSED[0])
    except errors.InsufficientPrivilege:
        expect(session.execute("SELECT 7").fetchone(), (7,), "a row after a refused pipeline")
    else:
        raise Wrong("a pipeline with a refused statement passed")


def cursor(session, random):
    with session.transaction(), session.cursor(name="walk") as walk:
        walk.execute("SELECT order_id FROM orders.orders ORDER BY order_id")
        count = random.randint(1, 300)
        expect(walk.fetchmany(count), [(n,) for n in range(1, count + 1)], "a cursor's rows")


def copy_out(session, random):
    count = random.randint(1, 2000)
    with session.cursor() as work:
        text = f"COPY (SELECT order_id, status FROM orders.orders ORDER BY order_id LIMIT {count}) TO STDOUT"
        with work.copy(text) as rows:
            expect(sum(bytes(block).count(b"\n") for block in rows), count, "lines of a COPY")


def temporary(session, random):
    name, count = f"work_{random.randint(1, 1 << 30)}", random.randint(1, 50)
    session.execute(f"CREATE TEMP TABLE {name} AS SELECT order_id, status FROM orders.orders WHERE order_id <= {count}")
    session.execute(f"INSERT INTO {name} VALUES (0, 'mine')")
    expect(session.execute(f"SELECT count(*) FROM {name}").fetchone(), (count + 1,), "rows of a temporary table")
    session.execute(f"DROP TABLE {name}")


def refused(session, random):
    text = random.choice(REFUSED)
    try:
        if random.random() < 0.5:
            with session.transaction():
                session.execute("SELECT 1")
                session.execute(text)
        else:
            session.execute(text)
    except errors.InsufficientPrivilege as refusal:
        # psycopg keeps to itself that the ROLLBACK behind it found no connection.
        if session.closed:
            raise psycopg.OperationalError("the connection was lost behind a refusal") from refusal
        expect(session.info.transaction_status.name, "IDLE", "the state after a refusal")
        simple(session, random)
    else:
        raise Wrong(f"`{text}` was not refused")


def faulty(session, random):
    text, wanted = random.choice(list(FAULTY.items()))
    try:
        session.execute(text)
    except errors.QueryCanceled:
        raise
    except psycopg.Error as error:
        # The server's own word of its end may come before that of the connection's.
        if session.broken or isinstance(error, psycopg.OperationalError):
            raise
        if error.sqlstate not in wanted:
            raise Wrong(f"`{text}` failed with {error.sqlstate}: {error}") from error
        simple(session, random)
    else:
        raise Wrong(f"`{text}` did not fail")


def abandoned(session, random):
    """A large result of which little is read. The session goes with it: psycopg's pipeline would take the
    next results row by row, as this one was."""
    try:
        with session.cursor() as work:
            for number, _ in enumerate(work.stream(BIG)):
                if number > random.randint(0, 20000):
                    break
    finally:
        session.close()


def cancel(session):
    try:
        session.cancel_safe(timeout=20)
    except psycopg.Error:
        # The statement that runs on will tell.
        pass


def cancel_until(ended, session, seconds):
    """A cancel that comes before its statement stops nothing: it is asked for again."""
    while not ended.wait(seconds):
        cancel(session)
        seconds = 1


def cancelled(session, random):
    """Runs until the warehouse is told to stop: by the soak's own cancels, or by this one's."""
    ended = Event()
    canceller = Thread(target=cancel_until, args=(ended, session, random.uniform(0.01, 1)), daemon=True)
    canceller.start()
    try:
        session.execute(LONG)
    except errors.QueryCanceled:
        pass
    finally:
        ended.set()
        canceller.join()
    simple(session, random)


KINDS = (
    simple, prepared, transaction, pipeline, cursor, copy_out, temporary, refused, faulty, abandoned, cancelled,
)
