"""Processes: started as whom, ready when, what they use, ended how."""

import os
import pwd
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_SECONDS = 60
STOP_SECONDS = 40
# A process' CPU clock, as clock_getcpuclockid(3) builds it: nanoseconds of all its threads.
CPU_CLOCK = 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(ready, what, process=None, seconds=READY_SECONDS):
    deadline = time.monotonic() + seconds
    while not ready():
        if process is not None and process.poll() is not None:
            sys.exit(f"{what}: ended with {process.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def end(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def unprivileged():
    """Options of `subprocess` for servers that do not run as root, and whom their files belong to."""
    if os.geteuid() != 0:
        return {}, None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}, (user.pw_uid, user.pw_gid)
    sys.exit("neither `postgres` nor `nobody` is a user here")


def cpu_seconds(pid):
    return time.clock_gettime(((~pid) << 3) | CPU_CLOCK)


def status_kib(pid, field):
    """A size in /proc/PID/status: VmRSS, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def reset_peak(pid):
    """From now on VmHWM is the peak since now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def allow_many_files():
    """Thousands of connections, here and in what is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def end_when_told():
    """SIGTERM ends what was started, as an interrupt does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
