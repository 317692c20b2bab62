"""pgbench through one target: transactions a second, latencies, the proxy's CPU for one transaction."""

import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.processes import cpu_seconds
from harness.warehouse import client_program

MODES = ("simple", "extended", "prepared", "literals")
# pgbench replaces variables inside of strings too. No number comes twice but by great chance; texts of
# 100 to 300 bytes.
LITERALS = {
    "point": "SELECT aid, bid, abalance, filler FROM pgbench_accounts WHERE aid = :a AND bid <> :b "
             "AND filler <> 'row-:c' LIMIT 10;",
    "range": "SELECT bid, count(*) AS n, sum(abalance) AS total FROM pgbench_accounts WHERE aid BETWEEN :a AND :a + 3 "
             "AND abalance <> :b AND filler NOT LIKE 'no-:c%' GROUP BY bid HAVING count(*) < :d ORDER BY 2 DESC LIMIT 50;",
    "join": "SELECT t.tid, t.tbalance, b.bbalance, 'branch-:c' AS label FROM pgbench_tellers t JOIN pgbench_branches b "
            "ON b.bid = t.bid WHERE t.tid = :a AND b.bbalance <> :b AND coalesce(t.filler, 'x:d') <> 'y:c';",
    "list": "SELECT a.aid, a.abalance AS \"Balance\" FROM pgbench_accounts AS a WHERE a.aid IN (:a, :b, :c, :d) "
            "/* source: dashboard */ ORDER BY a.aid;",
    "case": "WITH picked AS (SELECT aid, abalance FROM pgbench_accounts WHERE aid = :a) SELECT aid, CASE WHEN abalance > :b "
            "THEN 'over :b' WHEN abalance < -:c THEN 'under :c' ELSE 'within' END AS band FROM picked WHERE aid <> :d;",
}
TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
VARIABLES = "".join(f"\\set {name} random(1000000000, 900000000000000)\n" for name in "abcd")


@dataclass(frozen=True)
class Result:
    transactions: int
    tps: float
    p50_us: float
    p99_us: float
    cpu_us: float | None

    as_dict = asdict


def scripts(folder):
    """pgbench picks one of them for each transaction."""
    arguments = []
    for name, text in LITERALS.items():
        path = Path(folder) / f"{name}.sql"
        path.write_text(f"{VARIABLES}{text}\n")
        arguments += ["-f", str(path)]
    return arguments


def command(mode, clients, folder, *further):
    work = ["-M", "simple", *scripts(folder)] if mode == "literals" else ["-M", mode, "-S"]
    return [client_program("pgbench"), "-n", *work, "-c", str(clients), "-j", str(min(clients, 2)), *further]


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(target, mode, clients, seconds, *further):
    with tempfile.TemporaryDirectory() as folder:
        logs = ["--log", f"--log-prefix={folder}/t"]
        before = cpu_seconds(target.pid) if target.pid else 0
        done = subprocess.run(
            command(mode, clients, folder, "-T", str(seconds), *logs, *further),
            env=target.env, capture_output=True, text=True, check=False, timeout=seconds * 5 + 60,
        )
        cpu = cpu_seconds(target.pid) - before if target.pid else None
        told = TPS.search(done.stdout)
        if done.returncode != 0 or told is None:
            sys.exit(f"bench: pgbench ({mode}, {clients} clients) through {target.name}: {done.stderr.strip()}")
        # Columns: client, transaction, latency in microseconds, ...
        logs = [path for path in Path(folder).iterdir() if path.name.startswith("t.")]
        latencies = sorted(int(line.split()[2]) for log in logs for line in log.read_text().splitlines())
    count = len(latencies)
    if count == 0:
        sys.exit(f"bench: no transaction ({mode}, {clients} clients) through {target.name} in {seconds} s")
    return Result(
        count, float(told[1]), percentile(latencies, 0.5), percentile(latencies, 0.99),
        cpu * 1e6 / count if target.pid else None,
    )


def interleaved(targets, rounds, once):
    """Round by round, each beginning with another target: the results of each, in the rounds' order."""
    results = {target.name: [] for target in targets}
    for number in range(rounds):
        start = number % len(targets)
        for target in targets[start:] + targets[:start]:
            results[target.name].append(once(target))
    return results


def warm_up(targets):
    for target in targets:
        for mode in MODES:
            measure(target, mode, 1, 1)
