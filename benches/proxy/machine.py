"""Where and with what was measured."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from harness.gate import ROOT
from harness.warehouse import client_program, programs

from targets import bouncer_program


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return "-"
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def processor():
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def description(options):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    bouncer = bouncer_program()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 2),
        "tollgate": first_line(options.binary, "--version"),
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
        "postgresql": first_line(programs() / "postgres", "--version"),
        "pgbench": first_line(client_program("pgbench"), "--version"),
        "pgbouncer": first_line(bouncer, "-V") if bouncer else "-",
        "rust": first_line("rustc", "--version"),
        "python": platform.python_version(),
        "arguments": sys.argv[1:],
    }
