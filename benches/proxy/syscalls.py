"""System calls of a proxy for one transaction, counted by strace: their number, not their time."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from pgbench import command

TRANSACTIONS = 1000
ATTACH_SECONDS = 10
# % time, seconds, usecs/call, calls, errors where there are any, name.
LINE = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$")


def available():
    return shutil.which("strace") is not None


def measure(target, mode, clients):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        counting = subprocess.Popen(
            ["strace", "-c", "-f", "-o", out, "-p", str(target.pid)], stderr=subprocess.PIPE, text=True
        )
        try:
            attached = counting.stderr.readline()
            if "attached" not in attached:
                return {"error": attached.strip()}
            each = TRANSACTIONS // clients
            done = subprocess.run(
                command(mode, clients, folder, "-t", str(each)), env=target.env, capture_output=True, text=True,
                check=False, timeout=120,
            )
        finally:
            counting.send_signal(2)
            counting.stderr.close()
            counting.wait(ATTACH_SECONDS)
        if done.returncode != 0:
            return {"error": done.stderr.strip()[-200:]}
        found = (LINE.match(line) for line in out.read_text().splitlines())
        calls = {hit[2]: int(hit[1]) / TRANSACTIONS for hit in found if hit and hit[2] != "total"}
    return {"total": sum(calls.values()), "calls": {name: n for name, n in calls.items() if n >= 0.02}}
