"""What Tollgate is to reach, and whether it did, for every figure that was measured."""

from dataclasses import dataclass

from summary import median, ratio

IDLE_LIVE = 10000
IDLE_KIB = 24.0


@dataclass(frozen=True)
class Goal:
    what: str
    figure: float
    bound: float
    # The least that is enough, or else the most that is allowed.
    least: bool = False
    digits: int = 2

    @property
    def reached(self):
        return self.figure >= self.bound if self.least else self.figure <= self.bound

    @property
    def asked(self):
        return f"{'≥' if self.least else '≤'} {self.bound:,.{self.digits}f}"

    @property
    def shown(self):
        return f"{self.figure:,.{self.digits}f}"


def of_transactions(entries):
    for entry in entries:
        mode, clients, rounds = entry["mode"], entry["clients"], entry["rounds"]
        where = f"{mode}, {clients} client{'s' if clients > 1 else ''}{', TLS' if entry['tls'] else ''}"
        relay = ratio(rounds, "cpu_us", "tollgate", "relay")
        yield f"CPU per transaction / relay: {where}", relay, 1.3 if mode == "literals" else 1.15, False
        if mode != "literals":
            yield f"CPU per transaction / pgbouncer: {where}", ratio(rounds, "cpu_us", "tollgate", "pgbouncer"), 1.0, False
        if clients == 1:
            yield f"p50 / relay: {where}", ratio(rounds, "p50_us", "tollgate", "relay"), 1.1, False
        if clients == 64:
            yield f"transactions a second / pgbouncer: {where}", ratio(rounds, "tps", "tollgate", "pgbouncer"), 1.0, True


def of_streams(entries):
    for entry in entries:
        rounds = entry["rounds"]
        where = f"{entry['shape']}{', TLS' if entry['tls'] else ''}"
        yield f"MB/s / relay: {where}", ratio(rounds, "mb_per_second", "tollgate", "relay"), 0.95, True
        yield f"CPU per GB / relay: {where}", ratio(rounds, "cpu_seconds_per_gb", "tollgate", "relay"), 1.1, False


def goals(found):
    """In the order of the report; what was not measured is left out."""
    shares = [*of_transactions(found.get("pgbench", [])), *of_streams(found.get("stream", []))]
    if "connect" in found:
        share = ratio(found["connect"]["rounds"], "tps", "tollgate", "pgbouncer-fresh")
        shares.append(("connections a second / pgbouncer, both logging in upstream for each", share, 0.8, True))
    all_goals = [Goal(*share) for share in shares if share[1] is not None]
    for entry in found.get("idle", []):
        one = entry["results"].get("tollgate")
        if one:
            what = f"KiB of an idle session, {entry['sessions']:,} of them"
            all_goals.append(Goal(what, one["kib_per_session"], IDLE_KIB, digits=1))
    live = [entry["results"]["tollgate"]["live"] for entry in found.get("idle", []) if "tollgate" in entry["results"]]
    if live:
        all_goals.append(Goal("idle sessions alive at once", max(live), IDLE_LIVE, least=True, digits=0))
    return all_goals


def medians(entry, field):
    """By target, those that have the figure."""
    found = {name: median(rounds, field) for name, rounds in entry["rounds"].items()}
    return {name: value for name, value in found.items() if value is not None}
