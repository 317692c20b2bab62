"""The threads that play the clients, and what they found wrong."""

import random
import ssl
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg

from harness.wire import Connection, Refused

from clients import KINDS, Wrong
from killed import half_login, killed

CONNECT_SECONDS = 30
PIECES = 40
THINK_SECONDS = 0.3
IDLE_LOGINS_AT_ONCE = 8
# After a restart of the warehouse, sessions may still learn of it for this long.
AFTERSHOCK_SECONDS = 20
REASONS_MAX = 40
# Told while the warehouse is going down, down or coming up.
DISTURBED = {"57P01", "57P02", "57P03", "08001", "08004", "08006", None}


class Findings:
    """What is wrong, counted by its text; bounded."""

    def __init__(self):
        self.lock, self.counts, self.work = threading.Lock(), Counter(), Counter()

    def wrong(self, what):
        with self.lock:
            if what in self.counts or len(self.counts) < REASONS_MAX:
                self.counts[what] += 1

    def did(self, what):
        with self.lock:
            self.work[what] += 1


class Weather:
    """Whether the warehouse was disturbed lately."""

    def __init__(self):
        self.until = 0.0

    def restarting(self):
        self.until = float("inf")

    def restarted(self):
        self.until = time.monotonic() + AFTERSHOCK_SECONDS

    def calm(self, since=None):
        """Whether it is not now, or was not at any time since then."""
        return (time.monotonic() if since is None else since) > self.until


class Worker(threading.Thread):
    def __init__(self, target, number, findings, weather, stop):
        super().__init__(name=f"client-{number}", daemon=True)
        self.target, self.findings, self.weather, self.stop = target, findings, weather, stop
        self.random = random.Random(number)
        self.session, self.markers = None, []
        self.doing, self.since = "nothing", time.monotonic()

    def run(self):
        while not self.stop.is_set():
            try:
                self.one_session()
            except Exception as error:  # Whatever it is, it is told and the others go on.
                self.tell(error)
                self.stop.wait(0.2)

    def begin(self, what):
        self.doing, self.since = what, time.monotonic()

    def pause(self, seconds):
        self.stop.wait(seconds)

    def tell(self, error):
        if isinstance(error, (psycopg.errors.QueryCanceled, psycopg.errors.PipelineAborted)):
            self.findings.did("cancelled by others")
            return
        state = getattr(error, "sqlstate", None)
        lost = isinstance(error, (psycopg.OperationalError, OSError, EOFError, Refused)) or state in DISTURBED
        if lost and not isinstance(error, Wrong) and not self.weather.calm():
            self.findings.did("lost to a restart")
            return
        text = " ".join(str(error).split())[:300]
        self.findings.wrong(f"{self.doing}: {type(error).__name__} {state or ''}: {text}")


class DriverWorker(Worker):
    """psycopg; every session leaves a marker in the record."""

    def one_session(self):
        self.begin("connecting")
        self.session = psycopg.connect(**settings(self.target), autocommit=True, connect_timeout=CONNECT_SECONDS)
        try:
            self.begin("marker")
            marker = f"marker_{uuid.uuid4().hex}"
            self.session.execute(f"SELECT 1 AS {marker}")
            self.markers.append(marker)
            for _ in range(self.random.randint(1, PIECES)):
                if self.stop.is_set() or self.session.closed:
                    return
                kind = self.random.choice(KINDS)
                self.begin(kind.__name__)
                try:
                    kind(self.session, self.random)
                except psycopg.errors.QueryCanceled:
                    self.findings.did("cancelled by others")
                self.findings.did(kind.__name__)
                self.begin("thinking")
                self.pause(self.random.uniform(0, THINK_SECONDS))
        finally:
            # What it was doing stays known to who tells of its failure.
            session, self.session, self.since = self.session, None, time.monotonic()
            session.close()


class KilledWorker(Worker):
    def one_session(self):
        kind = killed if self.random.random() < 0.8 else half_login
        self.begin(kind.__name__)
        try:
            kind(self.target, self.random, self.pause)
        except (ConnectionError, EOFError):
            if self.weather.calm() and kind is killed:
                raise
        self.findings.did(kind.__name__)


class Idle(threading.Thread):
    """Keeps as many sessions open as said, replaced when a restart ends them."""

    def __init__(self, target, count, findings, weather, stop):
        super().__init__(name="idle", daemon=True)
        self.target, self.count, self.stop = target, count, stop
        self.findings, self.weather = findings, weather
        self.live, self.most = [], 0

    def run(self):
        with ThreadPoolExecutor(IDLE_LOGINS_AT_ONCE) as pool:
            while not self.stop.is_set():
                # To open them takes long where many were ended.
                began = time.monotonic()
                opened = pool.map(lambda _: self.open(), range(self.count - len(self.live)))
                self.live += [connection for connection in opened if connection]
                self.most = max(self.most, len(self.live))
                self.stop.wait(1)
                ended = {id(connection) for connection in self.live if gone(connection)}
                if ended and self.weather.calm(since=began):
                    self.findings.wrong("idle: sessions ended by themselves")
                for connection in self.live:
                    if id(connection) in ended:
                        connection.socket.close()
                self.live = [connection for connection in self.live if id(connection) not in ended]
        for connection in self.live:
            connection.close()

    def open(self):
        if self.stop.is_set():
            return None
        try:
            return Connection(self.target)
        except (OSError, EOFError, Refused) as error:
            if self.weather.calm():
                self.findings.wrong(f"idle: {type(error).__name__}: {str(error)[:300]}")
            self.stop.wait(0.2)
            return None


def gone(connection):
    """Whether the gate has ended an idle session."""
    connection.socket.setblocking(False)
    try:
        # Anything said to an idle session is the word of its end.
        return connection.socket.recv(1 << 16) is not None
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.socket.settimeout(30)


def settings(target):
    tls = {"sslmode": "verify-full", "sslrootcert": target.ca} if target.ca else {"sslmode": "disable"}
    return {
        "host": "localhost", "hostaddr": "127.0.0.1", "port": target.port, "user": target.user,
        "password": target.password, "dbname": "dev", **tls,
    }
