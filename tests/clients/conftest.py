"""One running demo for the whole session, and the ways to reach it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers import DRIVERS

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benches"))

from harness.processes import free_port, listens  # noqa: E402

READY_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Demo:
    """What the demo's state file says, and the program that runs it."""

    binary: Path
    env: dict
    state: dict

    @property
    def port(self):
        return self.state["port"]

    @property
    def database(self):
        return self.state["database"]

    @property
    def ca(self):
        return self.state["ca"]

    def login(self, who):
        """User and password of a service account, or of the person with a token."""
        person = self.state["person"]
        if who == "ana":
            return person["name"], person["token"]
        return who, self.state["accounts"][who]

    def libpq(self, user, password):
        """The words by which libpq and what stands on it connect to the gate."""
        return {
            "host": "localhost", "port": self.port, "dbname": self.database, "user": user, "password": password,
            "sslmode": "verify-full", "sslrootcert": self.ca,
        }

    def run(self, *arguments):
        return subprocess.run(
            [self.binary, *arguments], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )

    def audit(self, marker, event="statement"):
        """The audit's entries of one event whose SQL holds the marker."""
        found = self.run("audit", "search", "--dir", self.state["audit_dir"], "--format", "json")
        assert found.returncode == 0, found.stderr
        entries = [json.loads(line) for line in found.stdout.splitlines() if line]
        return [entry for entry in entries if entry["event"] == event and marker in entry.get("sql", "")]


def wait_for_state(process, path, log):
    deadline = time.monotonic() + READY_SECONDS
    while not path.exists():
        assert process.poll() is None, f"the demo ended with {process.returncode}: {log.read_text()}"
        assert time.monotonic() < deadline, f"the demo was not ready in time: {log.read_text()}"
        time.sleep(0.02)
    return json.loads(path.read_text())


@pytest.fixture(scope="session")
def demo():
    binary = Path(os.environ.get("TOLLGATE_BIN", ROOT / "target/debug/tollgate")).resolve()
    assert binary.exists(), f"{binary} is not built"
    folder = Path(tempfile.mkdtemp(prefix="tollgate-clients-"))
    # The warehouse may run as another user, who must pass through.
    folder.chmod(0o711)
    temporary = folder / "tmp"
    temporary.mkdir()
    temporary.chmod(0o711)
    log = folder / "demo.log"
    port = free_port()
    env = {**os.environ, "TMPDIR": str(temporary)}
    with log.open("w") as output:
        process = subprocess.Popen([binary, "demo", "--port", str(port)], env=env, stdout=output, stderr=output)
    try:
        state = wait_for_state(process, temporary / f"tollgate-demo-{port}.json", log)
        yield Demo(binary, env, state)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0, log.read_text()
        assert list(temporary.iterdir()) == [], "the demo left files behind"
        assert not listens(port) and not listens(state["warehouse"]["port"]), "the demo left a server behind"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request):
    return request.param


@pytest.fixture
def connect(demo, driver):
    """Opens sessions of the parametrised driver and closes them at the test's end."""
    opened = []

    def open_session(who, **options):
        user, password = demo.login(who)
        session = driver(demo, user, password, **options)
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def marker():
    """A text that no other statement holds."""
    return uuid.uuid4().hex
