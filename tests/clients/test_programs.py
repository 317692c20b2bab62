"""pgjdbc and node-postgres, each in a program of its language: a session direct and through the gate; refusals leave
what a server's error leaves."""

import os
import subprocess
from pathlib import Path

import pytest

from compare import assert_same_lines, statements, targets

HERE = Path(__file__).parent
JAR = Path(os.environ.get("PGJDBC_JAR", "/usr/share/java/postgresql.jar"))
PATIENCE_SECONDS = 180


def jdbc(target, table):
    assert JAR.exists(), f"{JAR} is missing: scripts/setup java, or name pgjdbc's jar in PGJDBC_JAR"
    url = f"jdbc:postgresql://{target.host}:{target.port}/{target.database}"
    url += f"?sslmode=verify-full&sslrootcert={target.ca}" if target.ca else "?sslmode=disable"
    command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Duser.timezone=UTC"]
    return [*command, "-cp", JAR, HERE / "jdbc/Session.java", url, table], {}


def node(target, table):
    assert (HERE / "node/node_modules/pg").exists(), "node-postgres is missing: make node"
    env = {
        "PGHOST": target.host, "PGPORT": str(target.port), "PGDATABASE": target.database, "GATE_CA": target.ca or "",
        "TZ": "UTC",
    }
    return ["node", HERE / "node/session.js", table], env


def played(program, target, *arguments):
    """The program's lines."""
    command, env = program(target, f"orders_mart.drivers_{program.__name__}")
    done = subprocess.run(
        [*command, *arguments], env={**os.environ, "PGUSER": target.user, "PGPASSWORD": target.password, **env},
        capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_SECONDS, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", [jdbc, node])
def test_a_session_gives_what_it_gives_directly(demo, tmp_path, program):
    texts = tmp_path / "statements.sql"
    texts.write_text("\n".join(statements(f"orders_mart.drivers_{program.__name__}")) + "\n", encoding="utf-8")
    outcomes = {where: played(program, target, texts) for where, target in targets(demo).items()}
    assert_same_lines(outcomes, at_least=60)


@pytest.mark.parametrize(("program", "at_least"), [(jdbc, 10), (node, 7)])
def test_a_refusal_leaves_what_an_error_of_the_server_leaves(demo, tmp_path, program, at_least):
    outcomes = {
        "direct": played(program, targets(demo)["direct"], tmp_path, "SELECT * FROM orders.nowhere"),
        "gate": played(program, targets(demo)["gate"], tmp_path, "GRANT SELECT ON orders.orders TO public"),
    }
    assert_same_lines(outcomes, at_least)
