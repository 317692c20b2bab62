"""benches/RESULTS.md and its charts, from the figures of one run or of several.

    python3 benches/proxy/results.py FILE.json …
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import charts  # noqa: E402
from goals import goals, medians  # noqa: E402
from harness.gate import ROOT  # noqa: E402
from summary import median, ratio, shown  # noqa: E402

HOME = ROOT / "benches"
INTRODUCTION = """\
# Results

What a transaction, a result, a connection and an idle session cost through Tollgate, beside no proxy (`direct`), \
a relay that cuts frames by their headers and understands nothing (`relay`, `benches/relay`), and pgbouncer in \
session mode. Tollgate judges, estimates, records and meters every statement of an account under limits, with the \
example company's rules (rows, bytes and statements at once set so high that the measurement passes) and a catalog.

CPU is the proxy's own, of all its threads, from its process' clock. Runs are interleaved, round by round; figures \
are medians of the rounds, and ratios are medians of the ratios within each round. Latencies are pgbench's.
"""


def markdown(head, rows):
    """A table whose first column is text and whose others are figures."""
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def machine(found):
    about = found["machine"]
    yield f"Measured on {about['date']}: {about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, Linux {about['kernel']}; " \
        f"{about['tollgate']} ({about['commit']}), {about['postgresql']}, {about['pgbench']}, {about['pgbouncer']}, {about['rust']}. " \
        f"Load before the start: {about['load']}."
    yield ""
    yield "To repeat:"
    yield ""
    yield "```sh"
    for arguments in map(list, map(without_files, about["runs"])):
        yield f'make bench ARGS="{" ".join(arguments)}"' if arguments else "make bench"
    yield "```"
    yield ""


def without_files(arguments):
    """What was measured, not where its figures went."""
    words = iter(arguments)
    for word in words:
        if word == "--json":
            next(words, None)
        elif word != "--write":
            yield word


def goal_table(found):
    yield "## Goals"
    yield ""
    rows = [[goal.what, goal.asked, goal.shown, "reached" if goal.reached else "**not reached**"] for goal in goals(found)]
    yield from markdown(["goal", "asked", "measured", ""], rows)


def transactions(found):
    if "pgbench" not in found:
        return
    yield "## Transactions"
    yield ""
    yield "pgbench's `-S` in its three protocols, and `literals`: five shapes of 100 to 300 bytes whose numbers and strings " \
        "never come twice."
    yield ""
    for name in chart_names(found):
        yield f"![{name}](charts/{name}.svg)"
        yield ""
    for entry in found["pgbench"]:
        rounds = entry["rounds"]
        rows = [
            [
                name, shown(median(each, "tps"), 0), shown(median(each, "p50_us"), 0), shown(median(each, "p99_us"), 0),
                shown(median(each, "cpu_us")), shown(ratio(rounds, "cpu_us", name, "relay"), 2),
                shown(ratio(rounds, "cpu_us", name, "pgbouncer"), 2),
            ]
            for name, each in rounds.items()
        ]
        clients = "1 client" if entry["clients"] == 1 else f"{entry['clients']} clients"
        yield f"### {entry['mode']}, {clients}{', TLS' if entry['tls'] else ''}"
        yield ""
        yield from markdown(["through", "tps", "p50 µs", "p99 µs", "CPU µs", "/ relay", "/ pgbouncer"], rows)


def streams(found):
    if "stream" not in found:
        return
    yield "## Large results"
    yield ""
    for entry in found["stream"]:
        rounds = entry["rounds"]
        rows = [
            [
                name, shown(median(each, "mb_per_second"), 0), shown(ratio(rounds, "mb_per_second", name, "relay"), 2),
                shown(median(each, "cpu_seconds_per_gb"), 2), shown(ratio(rounds, "cpu_seconds_per_gb", name, "relay"), 2),
                shown(median(each, "peak_rss_mib")),
            ]
            for name, each in rounds.items()
        ]
        yield f"### {entry['gigabytes']:g} GB of {entry['shape']}{', TLS' if entry['tls'] else ''}"
        yield ""
        yield from markdown(["through", "MB/s", "/ relay", "CPU s/GB", "/ relay", "peak MiB"], rows)


def connections(found):
    if "connect" not in found:
        return
    rounds = found["connect"]["rounds"]
    yield "## Connections"
    yield ""
    yield f"`pgbench -C -S`, {found['connect']['clients']} clients, TLS towards the client, SCRAM on both sides. `pgbouncer` reuses its " \
        "connections upstream; `pgbouncer-fresh` opens one for each client, as the others do."
    yield ""
    rows = [
        [name, shown(median(each, "tps")), shown(ratio(rounds, "tps", name, "pgbouncer-fresh"), 2), shown(median(each, "cpu_us"), 0)]
        for name, each in rounds.items()
    ]
    yield from markdown(["through", "a second", "/ pgbouncer-fresh", "CPU µs each"], rows)


def idlers(found):
    if "idle" not in found:
        return
    yield "## Idle sessions"
    yield ""
    yield "Logged in without TLS, before an upstream that says nothing more; resident memory beyond that before the first."
    short = [entry for entry in found["idle"] if entry["sessions"] < entry["asked"]]
    if short:
        most = max(entry["sessions"] for entry in short)
        yield f"This machine lets a process have so many descriptors that {most:,} sessions, of two each, are the most."
    yield ""
    rows = [
        [name, f"{one['live']:,}", shown(one["kib_per_session"]), shown(one["after_kib"] / 1024), shown(one["idle_cpu_percent"], 2)]
        for entry in found["idle"] for name, one in entry["results"].items()
    ]
    yield from markdown(["through", "live", "KiB each", "RSS MiB", "CPU %"], rows)


def calls(found):
    if "syscalls" not in found:
        return
    yield "## System calls"
    yield ""
    yield "Of one transaction, one client, counted by `strace -c -f`."
    yield ""
    rows = [
        [f"{entry['mode']}, {name}", shown(one.get("total"), 2), ", ".join(f"{call} {n:.1f}" for call, n in one.get("calls", {}).items())]
        for entry in found["syscalls"] for name, one in entry["results"].items()
    ]
    yield from markdown(["through", "calls", ""], rows)


def texts(found):
    if "understand" not in found:
        return
    yield "## Texts never seen before"
    yield ""
    yield "From `cargo bench --bench understand`."
    yield ""
    yield from markdown(["text", "understood in"], found["understand"].items())


def chart_names(found):
    return [f"{kind}{ending}" for _, ending in grounds(found) for kind in ("cpu", "latency")]


def grounds(found):
    """Without TLS and with it, where measured: a chart of each."""
    there = {entry["tls"] for entry in found["pgbench"]}
    return [(tls, ending) for tls, ending in ((False, ""), (True, "-tls")) if tls in there]


def chart_groups(entries, value, whisker=None):
    for entry in entries:
        tops = medians(entry, whisker) if whisker else {}
        bars = {name: (figure, tops.get(name)) for name, figure in medians(entry, value).items()}
        if bars:
            yield (entry["mode"], entry["clients"]), bars


def draw(found):
    folder = HOME / "charts"
    folder.mkdir(exist_ok=True)
    for tls, ending in grounds(found):
        entries = [entry for entry in found["pgbench"] if entry["tls"] == tls]
        over = ", TLS" if tls else ""
        cpu = list(chart_groups(entries, "cpu_us"))
        if cpu:
            title = f"The proxy's CPU per transaction, by clients{over}"
            (folder / f"cpu{ending}.svg").write_text(charts.bars(title, "µs", cpu))
        latency = list(chart_groups(entries, "p50_us", "p99_us"))
        title = f"Latency, by clients: p50, with p99 above it{over}"
        (folder / f"latency{ending}.svg").write_text(charts.bars(title, "µs, log", latency, logarithmic=True))


def write(found):
    found["machine"].setdefault("runs", [found["machine"]["arguments"]])
    sections = (machine, goal_table, transactions, streams, connections, idlers, calls, texts)
    lines = [line for section in sections for line in section(found)]
    (HOME / "RESULTS.md").write_text("\n".join([INTRODUCTION, *lines]).rstrip() + "\n")
    if found.get("pgbench"):
        draw(found)
    print(f"written: {HOME / 'RESULTS.md'}")


def merged(runs):
    """Later figures of a kind stand behind earlier ones; what there is one of, the last run's stands."""
    found = {"machine": {**runs[0]["machine"], "runs": [run["machine"]["arguments"] for run in runs]}}
    for run in runs:
        for name, figures in run.items():
            if name == "machine":
                continue
            found[name] = found.get(name, []) + figures if isinstance(figures, list) else figures
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    write(merged([json.loads(Path(name).read_text()) for name in sys.argv[1:]]))
