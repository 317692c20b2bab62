"""What goes wrong around the clients: restarts of the warehouse, reloads of the rules, cancels."""

import random
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from harness.warehouse import client_program

RELOAD_SECONDS = 7
CANCEL_SECONDS = 0.2
PGBENCH_SECONDS = 10


class Restarts(threading.Thread):
    """Every few minutes: fast, then immediate, in turn."""

    def __init__(self, warehouse, seconds, findings, weather, stop):
        super().__init__(name="restarts", daemon=True)
        self.warehouse, self.seconds, self.stop = warehouse, seconds, stop
        self.findings, self.weather = findings, weather
        self.count = 0

    def run(self):
        while not self.stop.wait(self.seconds):
            self.weather.restarting()
            try:
                self.warehouse.restart(("immediate", "fast")[self.count % 2])
            except SystemExit as error:
                self.findings.wrong(f"the warehouse did not restart: {error}")
            self.weather.restarted()
            self.count += 1


class Reloads(threading.Thread):
    """Rules that change, rules that are broken, SIGHUP with nothing new."""

    def __init__(self, gate, stop):
        super().__init__(name="reloads", daemon=True)
        self.gate, self.stop = gate, stop
        self.count = 0

    def run(self):
        company = self.gate.folder / "rules/company.yaml"
        sound = company.read_text()
        while not self.stop.wait(RELOAD_SECONDS):
            self.count += 1
            match self.count % 3:
                case 0:
                    company.write_text(sound + "\nposture: nonsense\n")
                case 1:
                    company.write_text(re.sub(r"seconds: 120", f"seconds: {120 + self.count}", sound))
                case _:
                    self.gate.process.send_signal(signal.SIGHUP)
        company.write_text(sound)


class Cancels(threading.Thread):
    """A CancelRequest for whoever is busy."""

    def __init__(self, workers, stop):
        super().__init__(name="cancels", daemon=True)
        self.workers, self.stop = workers, stop
        self.random = random.Random(1)
        self.count = 0

    def run(self):
        while not self.stop.wait(CANCEL_SECONDS):
            session = self.random.choice(self.workers).session
            if session is None or session.closed:
                continue
            try:
                session.cancel_safe(timeout=20)
                self.count += 1
            except Exception:  # The session may end at this moment, and the gate is asked by others.
                continue


class Pgbench(threading.Thread):
    """pgbench after pgbench, in every mode."""

    def __init__(self, target, clients, findings, weather, stop):
        super().__init__(name="pgbench", daemon=True)
        self.target, self.clients, self.stop = target, clients, stop
        self.findings, self.weather = findings, weather

    def run(self):
        modes = ("simple", "extended", "prepared")
        count = 0
        while not self.stop.is_set():
            mode = modes[count % len(modes)]
            count += 1
            command = [
                client_program("pgbench"), "-n", "-S", "-M", mode, "-c", str(self.clients), "-j", "1",
                "-R", str(self.clients * 20), "-T", str(PGBENCH_SECONDS),
            ]
            with tempfile.TemporaryFile("w+") as said:
                process = subprocess.Popen(
                    command, env=self.target.env, stdout=subprocess.DEVNULL, stderr=said, cwd=Path("/")
                )
                try:
                    code = process.wait(PGBENCH_SECONDS * 6)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    self.findings.wrong(f"pgbench ({mode}) did not end")
                    continue
                said.seek(0)
                text = " ".join(said.read().split())[:300]
            if code == 0:
                self.findings.did("pgbench")
            elif self.weather.calm():
                self.findings.wrong(f"pgbench ({mode}) ended with {code}: {text}")
            else:
                self.findings.did("lost to a restart")
                self.stop.wait(1)
