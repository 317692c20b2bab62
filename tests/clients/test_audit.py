"""Every statement is on record, refused or not, and the chain holds."""

import pytest

from drivers import Refused


def test_a_statement_that_ran_is_on_record(connect, demo, marker):
    connect("redash").rows(f"SELECT '{marker}' FROM orders.orders LIMIT 1")
    (entry,) = demo.audit(marker)
    assert entry["principal"] == "redash"
    assert entry["verdict"] == "allow"
    assert entry["class"] == "read"
    assert entry["reads"] == ["orders.orders"]


def test_a_refused_statement_is_on_record_with_its_rule(connect, demo, marker):
    with pytest.raises(Refused) as refusal:
        connect("ana").rows(f"DELETE FROM orders.orders WHERE status = '{marker}'")
    (entry,) = demo.audit(marker)
    assert entry["principal"] == "ana@opetence.example"
    assert entry["verdict"] == "deny"
    assert entry["code"] == "official_write"
    assert entry["rule"].startswith("rules/domains/orders.yaml:")
    assert entry["writes"] == ["orders.orders"]
    assert entry["id"] in refusal.value.detail


def test_the_chain_verifies(demo, connect):
    connect("redash").rows("SELECT 1")
    verified = demo.run("audit", "verify", "--dir", demo.state["audit_dir"])
    assert verified.returncode == 0, verified.stdout + verified.stderr
