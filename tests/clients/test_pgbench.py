"""pgbench and psql's COPY: many transactions in every mode, and much data, without an error."""

import hashlib
import os
import re
import subprocess

import psycopg
import pytest

from compare import targets

SCHEMA = "orders_mart"
PATIENCE_SECONDS = 180
TRANSACTIONS = 40
CLIENTS = 4
# Some hundred bytes each, so that a copy is about 100 MB.
COPIED_ROWS = 100_000

PIPELINE = """\
\\set aid random(1, 100000)
\\set delta random(-5000, 5000)
\\startpipeline
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = 1;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, CURRENT_TIMESTAMP);
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
\\endpipeline
"""


def environment(target):
    return {
        **os.environ, "PGHOST": target.host, "PGPORT": str(target.port), "PGDATABASE": target.database,
        "PGUSER": target.user, "PGPASSWORD": target.password, "PGOPTIONS": f"-c search_path={SCHEMA}",
        **({"PGSSLMODE": "verify-full", "PGSSLROOTCERT": target.ca} if target.ca else {"PGSSLMODE": "disable"}),
    }


def run(target, *command, **options):
    done = subprocess.run(
        command, env=environment(target), capture_output=True, timeout=PATIENCE_SECONDS, check=False, **options
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


def pgbench(target, *arguments):
    done = run(target, "pgbench", "--no-vacuum", f"--client={CLIENTS}", "--jobs=2", f"--transactions={TRANSACTIONS}",
               *arguments)
    told = done.stdout.decode()
    assert f"processed: {CLIENTS * TRANSACTIONS}/{CLIENTS * TRANSACTIONS}" in told, told
    assert "number of failed transactions: 0 " in told, told
    assert not re.search("error|aborted", done.stderr.decode()), done.stderr.decode()


@pytest.fixture(scope="module")
def gate(demo):
    """The gate, with pgbench's tables made through it."""
    target = targets(demo)["gate"]
    run(target, "pgbench", "--initialize", "--scale=1")
    yield target
    run(target, "pgbench", "--initialize", "--init-steps=d")


@pytest.fixture
def warehouse(demo):
    target = targets(demo)["direct"]
    with psycopg.connect(
        host=target.host, port=target.port, dbname=target.database, user=target.user, password=target.password,
        options=f"-c search_path={SCHEMA}", autocommit=True,
    ) as connection:
        yield connection


def assert_the_books_balance(warehouse):
    accounts, history = warehouse.execute(
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
    ).fetchone()
    assert accounts == history


@pytest.mark.parametrize("connections", ["kept", "one each"])
@pytest.mark.parametrize("script", ["tpcb-like", "simple-update", "select-only"])
@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_every_mode_runs_without_an_error(gate, warehouse, mode, script, connections):
    again = ["--connect"] if connections == "one each" else []
    before = warehouse.execute("SELECT count(*) FROM pgbench_history").fetchone()[0]
    pgbench(gate, f"--protocol={mode}", f"--builtin={script}", *again)
    after = warehouse.execute("SELECT count(*) FROM pgbench_history").fetchone()[0]
    assert after - before == (0 if script == "select-only" else CLIENTS * TRANSACTIONS)
    assert_the_books_balance(warehouse)


@pytest.mark.parametrize("again", [[], ["--connect"]], ids=["kept", "one each"])
@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_pipelines_run_without_an_error(gate, warehouse, tmp_path, mode, again):
    script = tmp_path / "pipeline.sql"
    script.write_text(PIPELINE)
    pgbench(gate, f"--protocol={mode}", f"--file={script}", *again)
    assert_the_books_balance(warehouse)


def test_a_large_copy_comes_out_and_goes_in_as_it_is(demo, warehouse, tmp_path):
    query = f"SELECT g, repeat(md5(g::text), 30), NULL FROM generate_series(1, {COPIED_ROWS}) g"
    sums = {}
    for where, target in targets(demo).items():
        file = tmp_path / where
        with file.open("wb") as output:
            done = subprocess.run(
                ["psql", "--no-psqlrc", "-c", f"COPY ({query}) TO STDOUT"], env=environment(target), stdout=output,
                stderr=subprocess.PIPE, timeout=PATIENCE_SECONDS, check=False,
            )
        assert done.returncode == 0, done.stderr.decode()
        sums[where] = (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    assert sums["gate"] == sums["direct"]
    assert sums["gate"][0] > COPIED_ROWS * 960
    gate = targets(demo)["gate"]
    run(gate, "psql", "--no-psqlrc", "-c", "CREATE TABLE copied (id int, text text, nothing text)")
    with (tmp_path / "gate").open("rb") as copied:
        run(gate, "psql", "--no-psqlrc", "-c", "COPY copied FROM STDIN", stdin=copied)
    differing = warehouse.execute(
        f"SELECT count(*) FROM (SELECT * FROM copied EXCEPT ALL ({query}) UNION ALL (({query}) EXCEPT ALL SELECT * FROM copied)) d"
    ).fetchone()[0]
    assert differing == 0
    run(gate, "psql", "--no-psqlrc", "-c", "DROP TABLE copied")
