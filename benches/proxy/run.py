"""Tollgate beside nothing, a raw relay and pgbouncer: transactions, results, connections, idle sessions.

Rounds are interleaved, so that a machine that slows down slows every target alike; what is judged are the
medians of the ratios within each round. `--write` makes benches/RESULTS.md and its charts of the figures.
"""

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import idle  # noqa: E402
import machine  # noqa: E402
import pgbench  # noqa: E402
import results  # noqa: E402
import stream  # noqa: E402
import syscalls  # noqa: E402
import understand  # noqa: E402
from harness.gate import certificates  # noqa: E402
from harness.processes import allow_many_files, end_when_told  # noqa: E402
from harness.warehouse import Warehouse  # noqa: E402
from summary import median, ratio, shown, table  # noqa: E402
from targets import RELEASE, Fleet, check_programs  # noqa: E402

TESTS = ("pgbench", "stream", "connect", "idle", "syscalls", "understand")
DEFAULT_TESTS = "pgbench"
CONNECT_CLIENTS = 4


def numbers(text):
    return [int(part) for part in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--tests", default=DEFAULT_TESTS, help=f"of {','.join(TESTS)}, or `all` (default: %(default)s)")
    add("--targets", default="direct,relay,pgbouncer,tollgate", help="also relay-1, with one thread as pgbouncer\n(default: %(default)s)")
    add("--modes", default=",".join(pgbench.MODES))
    add("--clients", default=[1, 8, 64], type=numbers)
    add("--seconds", default=5, type=int, help="of one run of pgbench")
    add("--rounds", default=3, type=int)
    add("--tls", action="store_true", help="pgbench with TLS on the clients' side of every target")
    add("--gigabytes", default=1.0, type=float, help="of one large result")
    add("--idle", default=[1000, 10000], type=numbers, help="sessions")
    add("--scale", default=1, type=int, help="of pgbench's tables")
    add("--binary", default=RELEASE / "tollgate", type=Path)
    add("--relay", default=RELEASE / "tollgate-relay", type=Path)
    add("--json", type=Path, metavar="FILE", help="where every round's figures go")
    add("--write", action="store_true", help="benches/RESULTS.md and the charts beside it")
    options = parser.parse_args()
    options.tests = list(TESTS) if options.tests == "all" else options.tests.split(",")
    unknown = set(options.tests) - set(TESTS)
    if unknown:
        parser.error(f"no test is called {', '.join(sorted(unknown))}")
    return options


def transactions(options, fleet):
    targets = fleet.targets(options.tls)
    targets = [target for target in targets if target.name != "pgbouncer-fresh"]
    pgbench.warm_up(targets)
    for mode in options.modes.split(","):
        for clients in options.clients:
            rounds = pgbench.interleaved(
                targets, options.rounds, lambda target: pgbench.measure(target, mode, clients, options.seconds).as_dict()
            )
            print(f"{mode}, {clients} clients{', TLS' if options.tls else ''}")
            show_transactions(rounds)
            yield {"tls": options.tls, "mode": mode, "clients": clients, "rounds": rounds}


def show_transactions(rounds):
    rows = [
        [
            name, shown(median(entries, "tps"), 0), shown(median(entries, "p50_us"), 0),
            shown(median(entries, "p99_us"), 0), shown(median(entries, "cpu_us")),
            shown(ratio(rounds, "cpu_us", name, "relay"), 2), shown(ratio(rounds, "cpu_us", name, "pgbouncer"), 2),
        ]
        for name, entries in rounds.items()
    ]
    table(["through", "tps", "p50 µs", "p99 µs", "CPU µs/tx", "/relay", "/pgbouncer"], rows)


def streams(options, fleet):
    for tls in (False, True):
        targets = [target for target in fleet.targets(tls) if target.name != "pgbouncer-fresh"]
        for shape in stream.SHAPES:
            rounds = pgbench.interleaved(
                targets, options.rounds, lambda target: stream.once(target, shape, options.gigabytes)
            )
            print(f"results of {options.gigabytes:g} GB, {shape}{', TLS' if tls else ''}")
            rows = [
                [
                    name, shown(median(entries, "mb_per_second"), 0), shown(ratio(rounds, "mb_per_second", name, "relay"), 2),
                    shown(median(entries, "cpu_seconds_per_gb"), 2),
                    shown(ratio(rounds, "cpu_seconds_per_gb", name, "relay"), 2), shown(median(entries, "peak_rss_mib")),
                ]
                for name, entries in rounds.items()
            ]
            table(["through", "MB/s", "/relay", "CPU s/GB", "/relay", "peak MiB"], rows)
            yield {"tls": tls, "shape": shape, "gigabytes": options.gigabytes, "rounds": rounds}


def connections(options, fleet):
    rounds = pgbench.interleaved(
        fleet.targets(True), options.rounds,
        lambda target: pgbench.measure(target, "simple", CONNECT_CLIENTS, options.seconds, "-C").as_dict(),
    )
    print(f"connections with TLS and SCRAM, {CONNECT_CLIENTS} clients, one statement each")
    rows = [
        [
            name, shown(median(entries, "tps")), shown(ratio(rounds, "tps", name, "pgbouncer-fresh"), 2),
            shown(ratio(rounds, "tps", name, "pgbouncer"), 2), shown(median(entries, "cpu_us"), 0),
        ]
        for name, entries in rounds.items()
    ]
    table(["through", "a second", "/pgbouncer-fresh", "/pgbouncer", "CPU µs each"], rows)
    return {"clients": CONNECT_CLIENTS, "rounds": rounds}


def idlers(options, fleet):
    for count in options.idle:
        measured = idle.measure(fleet, count)
        print(f"{measured['sessions']} idle sessions")
        rows = [
            [name, one["live"], shown(one["kib_per_session"]), shown(one["after_kib"] / 1024), shown(one["idle_cpu_percent"], 2)]
            for name, one in measured["results"].items()
        ]
        table(["through", "live", "KiB each", "RSS MiB", "CPU %"], rows)
        yield measured


def calls(options, fleet):
    if not syscalls.available():
        print("bench: no strace; system calls are not counted", file=sys.stderr)
        return
    targets = [target for target in fleet.targets(False) if target.pid]
    for mode in options.modes.split(","):
        counted = {target.name: syscalls.measure(target, mode, 1) for target in targets}
        print(f"system calls of a transaction, {mode}, 1 client")
        rows = [
            [name, shown(one.get("total"), 2), one.get("error") or ", ".join(f"{call} {n:.2f}" for call, n in one["calls"].items())]
            for name, one in counted.items()
        ]
        table(["through", "calls", ""], rows)
        yield {"mode": mode, "results": counted}


def measure(options, fleet, keep):
    found = {"machine": machine.description(options)}
    steps = {
        "pgbench": lambda: transactions(options, fleet), "stream": lambda: streams(options, fleet),
        "syscalls": lambda: calls(options, fleet), "idle": lambda: idlers(options, fleet),
    }
    for test in options.tests:
        if test in steps:
            found[test] = []
            for entry in steps[test]():
                found[test].append(entry)
                keep(found)
        elif test == "connect":
            found[test] = connections(options, fleet)
        else:
            found[test] = understand.measure()
            table(["text", "understood in"], found[test].items())
        keep(found)
    return found


def main():
    options = arguments()
    check_programs(options)
    allow_many_files()
    end_when_told()

    def keep(found):
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))

    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # The warehouse and pgbouncer may run as other users, who must pass through.
        folder.chmod(0o711)
        certs = certificates(options.binary, folder / "certs")
        warehouse = stack.enter_context(Warehouse(folder, certificates=certs))
        warehouse.load_pgbench(options.scale)
        found = measure(options, Fleet(options, stack, folder, warehouse, certs), keep)
    if options.write:
        results.write(found)


if __name__ == "__main__":
    main()
