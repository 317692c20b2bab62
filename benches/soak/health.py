"""What the gate's process holds: while it runs, and when every client has gone."""

import socket
import statistics
import threading
import time

from harness.processes import descriptors, status_kib
from harness.wire import Connection, frame

from clients import BIG

SAMPLE_SECONDS = 1
SETTLE_SECONDS = 60
# Growth from the second quarter to the last that is still called level.
GROWTH_SHARE, GROWTH_KIB = 0.25, 16 * 1024
# A connection of the catalog's may be open at either moment.
SLACK = 2


class Samples(threading.Thread):
    """Resident memory and descriptors, once a second."""

    def __init__(self, gate, stop):
        super().__init__(name="samples", daemon=True)
        self.gate, self.stop = gate, stop
        self.rss, self.files = [], []

    def run(self):
        while not self.stop.wait(SAMPLE_SECONDS):
            self.rss.append(status_kib(self.gate.pid, "VmRSS"))
            self.files.append(descriptors(self.gate.pid))

    def last(self):
        return f"{self.rss[-1] / 1024:.0f} MiB, {self.files[-1]} descriptors" if self.files else "nothing yet"

    def problems(self):
        if self.gate.process.poll() is not None:
            yield f"the gate ended with {self.gate.process.returncode}"
        quarter = len(self.rss) // 4
        if quarter < 10:
            return
        early = statistics.median(self.rss[quarter:2 * quarter])
        late = statistics.median(self.rss[-quarter:])
        print(f"memory: {early / 1024:.0f} MiB in the second quarter, {late / 1024:.0f} MiB in the last", flush=True)
        if late > early * (1 + GROWTH_SHARE) + GROWTH_KIB:
            yield f"memory grew from {early / 1024:.0f} to {late / 1024:.0f} MiB"


def settles(ready, seconds=SETTLE_SECONDS):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def at_rest(gate, warehouse, files_before, backends_before):
    """When every client has gone, nothing of theirs is left."""
    if not settles(lambda: gate.metrics().get("tollgate_sessions") == 0):
        yield f"the gauge still counts {gate.metrics().get('tollgate_sessions'):.0f} sessions"
    if not settles(lambda: descriptors(gate.pid) <= files_before + SLACK):
        yield f"{descriptors(gate.pid)} descriptors are open, {files_before} were before"
    backends = lambda: warehouse.backends("tollgate") + warehouse.backends("dbt")  # noqa: E731
    if not settles(lambda: backends() <= backends_before + SLACK):
        yield f"{backends()} backends are left in the warehouse, {backends_before} were before"


def slots(target, concurrent):
    """As many statements as the limit allows run at once, and not one more: no slot was lost."""
    live = []
    try:
        for _ in range(concurrent + 1):
            live.append(Connection(target))
        heard = [first_word(connection) for connection in live]
    finally:
        for connection in live:
            connection.socket.close()
    admitted = heard.count(b"T")
    if admitted != concurrent:
        yield f"{admitted} statements ran at once where {concurrent} may: {sorted(set(heard))}"


def first_word(connection):
    """A result that is begun and not read: its statement goes on running."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.sendall(frame(b"Q", BIG.encode() + b"\0"))
    return connection.exactly(1)
