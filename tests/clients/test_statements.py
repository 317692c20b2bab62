"""What passes, what is refused and what is cut, the same through every driver."""

import re
import uuid

import pytest

from drivers import Refused

ROWS_MAX = 1000
OFFICIAL_WRITE = "INSERT INTO orders.daily VALUES (DATE '2026-01-01', 1, 9.99)"


def test_a_read_gives_the_right_values(connect):
    rows = connect("redash").rows("SELECT status, count(*) FROM orders.orders GROUP BY 1 ORDER BY 1")
    expected = [("cancelled", 3750), ("delivered", 11250), ("paid", 7500), ("shipped", 7500)]
    assert [(status, int(count)) for status, count in rows] == expected


@pytest.mark.parametrize("who", ["redash", "ana"])
def test_an_official_write_is_refused_with_who_which_rule_and_what_to_do(connect, demo, who):
    session = connect(who)
    with pytest.raises(Refused) as refusal:
        session.rows(OFFICIAL_WRITE)
    refused = refusal.value
    assert refused.sqlstate == "42501"
    assert refused.message.startswith(
        'tollgate: writing to official schema "orders" is not allowed (INSERT INTO orders.daily)'
    )
    assert demo.login(who)[0] in refused.detail
    assert re.search(r"rules/domains/orders\.yaml:\d+", refused.detail)
    assert re.search(r"audit [0-9a-f]{8}", refused.detail)
    assert "https://github.com/opetence/data/issues/new?labels=orders" in refused.hint
    if who == "ana":
        assert "sandbox_orders" in refused.hint


def test_the_steward_writes_to_the_official_schema(connect):
    session = connect("dbt_prod")
    session.rows("INSERT INTO orders.daily VALUES (DATE '1999-01-01', 1, 9.99)")
    session.rows("DELETE FROM orders.daily WHERE day = DATE '1999-01-01'")


def test_the_sandbox_is_free_for_its_team(connect):
    session = connect("ana")
    table = f"sandbox_orders.t_{uuid.uuid4().hex[:12]}"
    session.rows(f"CREATE TABLE {table} AS SELECT * FROM orders.orders LIMIT 10")
    assert int(session.rows(f"SELECT count(*) FROM {table}")[0][0]) == 10
    session.rows(f"DROP TABLE {table}")


def test_the_sandbox_of_another_team_is_refused(connect):
    with pytest.raises(Refused) as refusal:
        connect("ana").rows("CREATE TABLE sandbox_finances.t (a int)")
    assert refusal.value.sqlstate == "42501"


def test_a_result_is_cut_at_the_cap_with_a_notice(connect):
    session = connect("redash")
    assert len(session.rows("SELECT * FROM orders.order_lines")) == ROWS_MAX
    assert "tollgate" in session.notices()


def test_the_cap_counts_across_the_fetches_of_a_cursor(connect, driver):
    if not driver.server_cursors:
        pytest.skip("no server-side cursors")
    session = connect("redash", autocommit=False)
    assert len(session.fetched("SELECT * FROM orders.order_lines", size=300)) <= ROWS_MAX


def test_a_costly_statement_is_refused_before_it_runs(connect):
    with pytest.raises(Refused) as refusal:
        connect("redash").rows("SELECT count(*) FROM orders.order_lines a CROSS JOIN orders.order_lines b")
    assert refusal.value.sqlstate == "54000"
    assert refusal.value.message.startswith("tollgate: ")


def test_a_long_statement_is_ended_at_the_time_limit(connect):
    with pytest.raises(Refused) as refusal:
        connect("intern").rows("SELECT count(*) FROM generate_series(1, 40000000)")
    assert refusal.value.sqlstate == "57014"


def test_an_unknown_statement_is_refused(connect):
    with pytest.raises(Refused) as refusal:
        connect("redash").rows("GRUNT SELECT ON orders.orders TO PUBLIC")
    assert refusal.value.sqlstate == "42501"


def test_a_session_goes_on_after_a_refusal(connect):
    session = connect("redash")
    for _ in range(3):
        with pytest.raises(Refused):
            session.rows(OFFICIAL_WRITE)
        assert int(session.rows("SELECT 42")[0][0]) == 42


def test_a_refusal_fails_the_open_transaction(connect, driver):
    if not driver.transactions:
        pytest.skip("the driver does not show the transaction's state")
    session = connect("ana", autocommit=False)
    assert session.rows("SELECT 1") == [(1,)]
    with pytest.raises(Refused):
        session.rows(OFFICIAL_WRITE)
    assert session.in_failed_transaction()
    with pytest.raises(Refused) as refusal:
        session.rows("SELECT 1")
    assert refusal.value.sqlstate == "25P02"
    session.rollback()
    assert session.rows("SELECT 1") == [(1,)]
