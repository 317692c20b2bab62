"""node-postgres: a session direct and through the gate; refusals leave what a server's error leaves."""

import os
import subprocess
from pathlib import Path

from compare import assert_same_lines, statements, targets

FOLDER = Path(__file__).parent / "node"
TABLE = "orders_mart.drivers_node"
PATIENCE_SECONDS = 120


def played(target, *arguments):
    """The program's lines."""
    assert (FOLDER / "node_modules/pg").exists(), "node-postgres is missing: make node"
    env = {
        **os.environ, "PGHOST": target.host, "PGPORT": str(target.port), "PGDATABASE": target.database,
        "PGUSER": target.user, "PGPASSWORD": target.password, "GATE_CA": target.ca or "", "TZ": "UTC",
    }
    done = subprocess.run(
        ["node", FOLDER / "session.js", TABLE, *arguments], env=env, capture_output=True, text=True,
        encoding="utf-8", timeout=PATIENCE_SECONDS, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_session_gives_what_it_gives_directly(demo, tmp_path):
    texts = tmp_path / "statements.sql"
    texts.write_text("\n".join(statements(TABLE)) + "\n", encoding="utf-8")
    assert_same_lines({where: played(target, texts) for where, target in targets(demo).items()}, at_least=60)


def test_a_refusal_leaves_what_an_error_of_the_server_leaves(demo, tmp_path):
    outcomes = {
        "direct": played(targets(demo)["direct"], tmp_path, "SELECT * FROM orders.nowhere"),
        "gate": played(targets(demo)["gate"], tmp_path, "GRANT SELECT ON orders.orders TO public"),
    }
    assert_same_lines(outcomes, at_least=7)
