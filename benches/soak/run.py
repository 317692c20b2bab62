"""A soak: many clients of every kind, cancels, sudden ends, restarts of the warehouse, reloads of the rules.

At the end nothing may be left of them in the gate or behind it, and the record must be whole. Ends with 1 and
the reasons where anything is wrong.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "proxy")]

import health  # noqa: E402
import record  # noqa: E402
from chaos import Cancels, Pgbench, Reloads, Restarts  # noqa: E402
from clients import ORDERS  # noqa: E402
from harness.gate import ACCOUNTS, ROOT, Gate, certificates  # noqa: E402
from harness.processes import allow_many_files, descriptors, end_when_told  # noqa: E402
from harness.warehouse import Warehouse  # noqa: E402
from targets import Target  # noqa: E402
from workers import DriverWorker, Findings, Idle, KilledWorker, Weather  # noqa: E402

TABLES = f"""
create schema orders;
create table orders.orders (order_id int primary key, status text not null, total numeric not null);
insert into orders.orders select n, 'status ' || n % 7, n * 1.5 from generate_series(1, {ORDERS}) n;
"""
# Of 64 busy clients; those that were killed may hold theirs a moment longer.
CONCURRENT = 80
LIMITS = {"rows": 10000000, "bytes": "5GB", "concurrent": CONCURRENT}
KILLED_SHARE, PGBENCH_CLIENTS = 8, 8
STUCK_SECONDS = 60
TELL_SECONDS = 60
RESTART_SECONDS = (20, 180)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", default=2.0, type=float)
    parser.add_argument("--busy", default=64, type=int, help="clients at work")
    parser.add_argument("--idle", default=1000, type=int, help="clients that are logged in and say nothing")
    parser.add_argument("--binary", default=ROOT / "target/release/tollgate", type=Path)
    parser.add_argument("--keep", action="store_true", help="the folder with logs and audit")
    return parser.parse_args()


def players(options, gate, warehouse, ca, findings, weather, stop):
    def target(account):
        return Target(account, gate.port, account, ACCOUNTS[account], ca, gate.pid)

    redash, killed = target("redash"), max(1, options.busy // KILLED_SHARE)
    drivers = [
        DriverWorker(redash, number, findings, weather, stop)
        for number in range(max(1, options.busy - killed - PGBENCH_CLIENTS))
    ]
    seconds = min(max(options.minutes * 60 / 4, RESTART_SECONDS[0]), RESTART_SECONDS[1])
    return drivers, [
        *drivers,
        *(KilledWorker(redash, number, findings, weather, stop) for number in range(1000, 1000 + killed)),
        Pgbench(redash, PGBENCH_CLIENTS, findings, weather, stop),
        Idle(target("tableau"), options.idle, findings, weather, stop),
        Restarts(warehouse, seconds, findings, weather, stop),
        Reloads(gate, stop),
        Cancels(drivers, stop),
    ]


def play(options, threads, samples, stop):
    """Problems of the time in which clients are at work, and of their end."""
    for thread in [samples, *threads]:
        thread.start()
    end = time.monotonic() + options.minutes * 60
    told = time.monotonic()
    while time.monotonic() < end and samples.gate.process.poll() is None:
        time.sleep(1)
        if time.monotonic() > told + TELL_SECONDS:
            told += TELL_SECONDS
            print(f"{(end - told) / 60:.0f} min left: {samples.last()}", flush=True)
        for thread in threads:
            if getattr(thread, "since", time.monotonic()) < time.monotonic() - STUCK_SECONDS:
                yield f"{thread.name} is stuck at {thread.doing}"
    yield from samples.problems()
    stop.set()
    deadline = time.monotonic() + STUCK_SECONDS * 2
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
        if thread.is_alive():
            yield f"{thread.name} does not end, at {getattr(thread, 'doing', 'its work')}"


def soak(options, folder, stack):
    certs = certificates(options.binary, folder / "certs")
    settings = {"autovacuum": "on"}
    warehouse = stack.enter_context(Warehouse(folder, connections=options.idle + 400, settings=settings))
    warehouse.sql(TABLES)
    warehouse.load_pgbench(1)
    gate = stack.enter_context(
        Gate(
            options.binary, folder / "tollgate", warehouse.port, limits=LIMITS, functions=["pg_sleep"], tls=certs,
            connections=options.idle + 400,
        )
    )
    files, backends = descriptors(gate.pid), warehouse.backends("tollgate")
    findings, weather, stop = Findings(), Weather(), threading.Event()
    stack.callback(stop.set)
    samples = health.Samples(gate, stop)
    drivers, threads = players(options, gate, warehouse, str(certs / "ca.crt"), findings, weather, stop)
    wrong = set(play(options, threads, samples, stop))
    print("work:", ", ".join(f"{count:,} {what}" for what, count in findings.work.most_common()), flush=True)
    print("around it:", ", ".join(f"{t.count} {t.name}" for t in threads if t.name in ("restarts", "reloads", "cancels")))
    print("idle sessions at most:", max(t.most for t in threads if t.name == "idle"), flush=True)
    wrong |= {f"{count} times: {what}" for what, count in findings.counts.items()}
    wrong |= set(health.at_rest(gate, warehouse, files, backends))
    wrong |= set(health.slots(Target("redash", gate.port, "redash", ACCOUNTS["redash"], str(certs / "ca.crt"), None), CONCURRENT))
    wrong |= set(health.at_rest(gate, warehouse, files, backends))
    wrong |= set(record.problems(gate, [marker for worker in drivers for marker in worker.markers]))
    return sorted(wrong)


def main():
    options = arguments()
    allow_many_files()
    end_when_told()
    # What the driver warns of while a session ends is raised too, where it matters.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tollgate-soak-"))
        if options.keep:
            print(f"kept: {folder}")
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # The warehouse may run as another user, who must pass through.
        folder.chmod(0o711)
        wrong = soak(options, folder, stack)
    for reason in wrong:
        print(f"WRONG  {reason}")
    print("soak: nothing is wrong" if not wrong else f"soak: {len(wrong)} things are wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
