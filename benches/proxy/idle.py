"""What a session costs that is logged in and idle: memory, and whether as many as said come to live."""

import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.gate import ACCOUNTS
from harness.processes import cpu_seconds, end, status_kib
from harness.warehouse import LOGIN, LOGIN_PASSWORD
from harness.wire import Connection

from targets import ACCOUNT, Target, relay

LOGINS_AT_ONCE = 8
SETTLE_SECONDS = 2
# Of one session a proxy holds two descriptors, of its own these many.
OWN_DESCRIPTORS = 200


def most_sessions():
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - OWN_DESCRIPTORS) // 2


@contextmanager
def silent():
    """The port of the stand-in for the warehouse."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).parent / "silent.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield int(process.stdout.readline())
    finally:
        end(process)


def measure(fleet, count):
    """Relay and Tollgate in front of an upstream that is silent once it let everyone log in."""
    asked, count = count, min(count, most_sessions())
    results = {}
    for name in ("relay", "tollgate"):
        if name not in fleet.options.targets.split(","):
            continue
        with ExitStack() as stack:
            upstream = stack.enter_context(silent())
            if name == "relay":
                port, pid = stack.enter_context(relay(fleet.options.relay, upstream, None))
                target = Target(name, port, LOGIN, LOGIN_PASSWORD, None, pid)
            else:
                gate = stack.enter_context(fleet.gate(f"idle-{count}", upstream, None, catalog=False))
                target = Target(name, gate.port, ACCOUNT, ACCOUNTS[ACCOUNT], None, gate.pid)
            results[name] = one(target, count)
    return {"asked": asked, "sessions": count, "results": results}


def one(target, count):
    # Whatever is made once, by the first session, is no session's.
    Connection(target).close()
    time.sleep(SETTLE_SECONDS)
    before, began = status_kib(target.pid, "VmRSS"), time.monotonic()
    with ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        live = list(pool.map(lambda _: Connection(target), range(count)))
    seconds = time.monotonic() - began
    time.sleep(SETTLE_SECONDS)
    after, cpu = status_kib(target.pid, "VmRSS"), cpu_seconds(target.pid)
    time.sleep(SETTLE_SECONDS)
    idle_cpu = (cpu_seconds(target.pid) - cpu) / SETTLE_SECONDS
    for connection in live:
        connection.close()
    return {
        "live": len(live), "before_kib": before, "after_kib": after, "kib_per_session": (after - before) / count,
        "login_seconds": seconds, "idle_cpu_percent": idle_cpu * 100,
    }
