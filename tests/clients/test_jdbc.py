"""pgjdbc: a session direct and through the gate; refusals leave what a server's error leaves."""

import os
import subprocess
from pathlib import Path


from compare import assert_same_lines, statements, targets

SOURCE = Path(__file__).parent / "jdbc/Session.java"
JAR = Path(os.environ.get("PGJDBC_JAR", "/usr/share/java/postgresql.jar"))
TABLE = "orders_mart.drivers_jdbc"
PATIENCE_SECONDS = 180


def played(target, *arguments):
    """The program's lines."""
    assert JAR.exists(), f"{JAR} is missing: scripts/setup java, or name pgjdbc's jar in PGJDBC_JAR"
    url = f"jdbc:postgresql://{target.host}:{target.port}/{target.database}"
    url += f"?sslmode=verify-full&sslrootcert={target.ca}" if target.ca else "?sslmode=disable"
    command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Duser.timezone=UTC"]
    command += ["-cp", JAR, SOURCE, url, TABLE, *arguments]
    env = {**os.environ, "PGUSER": target.user, "PGPASSWORD": target.password}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, encoding="utf-8", timeout=PATIENCE_SECONDS, check=False
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
    assert_same_lines(outcomes, at_least=10)
