"""Redash's way: an asynchronous psycopg2 connection that is polled, and a comment that names its user."""

import select

import psycopg2
import pytest
from psycopg2 import extensions

WAIT_SECONDS = 60


def settle(connection):
    """Polls until nothing is awaited, as Redash's query runner does."""
    while (state := connection.poll()) != extensions.POLL_OK:
        sides = ([], [connection]) if state == extensions.POLL_WRITE else ([connection], [])
        assert any(select.select(*sides, [], WAIT_SECONDS)), "no answer in time"


def run(connection, sql):
    cursor = connection.cursor()
    cursor.execute(sql)
    settle(connection)
    return cursor


@pytest.fixture
def connection(demo):
    connection = psycopg2.connect(**demo.libpq(*demo.login("redash")), async_=True)
    settle(connection)
    yield connection
    connection.close()


def test_a_query_is_on_record_with_the_user_that_the_comment_names(connection, demo, marker):
    sql = f"/* Username: kim@opetence.example, Query ID: 7 */ SELECT '{marker}' FROM orders.orders LIMIT 3"
    assert run(connection, sql).fetchall() == [(marker,)] * 3
    (entry,) = demo.audit(marker)
    assert entry["end_user"]["name"] == "kim@opetence.example"


def test_a_refused_query_leaves_the_connection_for_the_next(connection):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="official schema \"orders\""):
        run(connection, "DELETE FROM orders.orders")
    assert run(connection, "SELECT count(*) > 0 FROM orders.orders").fetchall() == [(True,)]


def test_a_query_is_cancelled_from_outside(connection):
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM generate_series(1, 3000000) a, pg_catalog.pg_class")
    with pytest.raises(psycopg2.extensions.QueryCanceledError):
        # A cancel that comes before its statement stops nothing.
        while connection.isexecuting():
            connection.cancel()
            ready, _, _ = select.select([connection], [], [], 1)
            if ready:
                settle(connection)
    assert run(connection, "SELECT 1").fetchall() == [(1,)]
