"""Logins that fail look all the same from outside."""

import time
from pathlib import Path

import jwt
import psycopg
import pytest

from drivers import RedshiftConnector, Refused

PERSON = "ana@opetence.example"


def attempt(demo, user, password):
    """The text of a failed login."""
    target = psycopg.conninfo.make_conninfo(**demo.libpq(user, password))
    connection = psycopg.pq.PGconn.connect(target.encode())
    try:
        assert connection.status == psycopg.pq.ConnStatus.BAD, "the login succeeded"
        return connection.get_error_message()
    finally:
        connection.finish()


def token(demo, algorithm=None, key=None, **changed):
    issuer = demo.state["issuer"]
    now = int(time.time())
    claims = {
        "iss": issuer["issuer"], "aud": issuer["audience"], "sub": PERSON, "email": PERSON,
        "groups": ["orders-analysts"], "iat": now, "nbf": now, "exp": now + 600, **changed,
    }
    algorithm = algorithm or issuer["algorithm"]
    if algorithm == "none":
        return jwt.encode(claims, None, algorithm="none", headers={"kid": issuer["key_id"]})
    key = key or Path(issuer["key"]).read_text()
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": issuer["key_id"]})


def test_a_fresh_token_logs_in(demo):
    with psycopg.connect(**demo.libpq(PERSON, token(demo))) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


BAD_TOKENS = {
    "expired": {"exp": 1_700_000_000, "nbf": 1_600_000_000, "iat": 1_600_000_000},
    "for another audience": {"aud": "another"},
    "of another issuer": {"iss": "https://another.example"},
    "of another person": {"email": "bob@opetence.example"},
    "unsigned": {"algorithm": "none"},
    "signed with a shared secret": {"algorithm": "HS256", "key": "0" * 32},
}


@pytest.mark.parametrize("changed", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_bad_token_is_refused_as_a_wrong_password_is(demo, changed):
    message = attempt(demo, PERSON, token(demo, **changed))
    assert "authentication failed" in message
    assert message == attempt(demo, PERSON, "not a token")


def test_a_wrong_password_tells_no_more_than_an_unknown_account(demo):
    wrong = attempt(demo, "redash", "wrong").replace("redash", "X")
    unknown = attempt(demo, "nobody_at_all", "wrong").replace("nobody_at_all", "X")
    assert wrong == unknown


def test_a_failed_login_has_the_state_of_a_failed_login(demo):
    with pytest.raises(Refused) as refusal:
        RedshiftConnector(demo, "redash", "wrong")
    assert refusal.value.sqlstate == "28P01"
