"""The protocol's minor versions, as libpq speaks them: what differs is the length of cancel keys."""

import threading

import psycopg
import pytest

from compare import ACCOUNT

NEVER_ENDS = "SELECT count(*) FROM generate_series(1, 1000000000000)"
STOP_SECONDS = 60


@pytest.fixture(params=["3.0", "3.2"])
def session(demo, request):
    """Speaks that version and no other."""
    with psycopg.connect(
        **demo.libpq(*demo.login(ACCOUNT)), autocommit=True,
        min_protocol_version=request.param, max_protocol_version=request.param,
    ) as connection:
        connection.version = request.param
        yield connection


def test_the_version_that_was_asked_for_is_spoken(session):
    major, minor = session.version.split(".")
    assert session.pgconn.full_protocol_version == int(major) * 10000 + int(minor)


@pytest.mark.parametrize("encrypted", [True, False], ids=["PQcancelStart", "PQcancel"])
def test_a_cancel_stops_what_runs_and_nothing_later(session, encrypted):
    cancel = session.cancel_safe if encrypted else session.cancel
    stopped = []

    def run():
        try:
            session.execute(NEVER_ENDS)
        except psycopg.errors.QueryCanceled as error:
            stopped.append(error.sqlstate)

    statement = threading.Thread(target=run)
    statement.start()
    # A cancel that comes before its statement stops nothing.
    for _ in range(STOP_SECONDS):
        cancel()
        statement.join(1)
        if not statement.is_alive():
            break
    assert stopped == ["57014"]
    assert session.execute("SELECT 1").fetchone() == (1,)
