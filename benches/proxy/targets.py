"""What pgbench is sent through: nothing, the raw relay, pgbouncer, Tollgate."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.gate import ACCOUNTS, ROOT, Gate
from harness.processes import end, free_port, listens, unprivileged, wait_until
from harness.warehouse import DATABASE, LOGIN, LOGIN_PASSWORD

# The account under the ordinary limits, and these so high that only pgbench's 64 clients and the large
# results pass them: they are counted as any.
ACCOUNT = "redash"
LIMITS = {"rows": 1000000000, "bytes": "1000GB", "concurrent": 100000}
BOUNCER_CLIENTS = 11000
# With their threads; `None` is one a core.
RELAYS = {"relay": None, "relay-1": 1}


@dataclass(frozen=True)
class Target:
    name: str
    port: int
    user: str
    password: str
    # The authority's certificate where TLS is spoken.
    ca: str | None
    pid: int | None

    @property
    def env(self):
        """For PostgreSQL's own clients."""
        tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": self.ca} if self.ca else {"PGSSLMODE": "disable"}
        return {
            **os.environ, "PGHOST": "localhost", "PGHOSTADDR": "127.0.0.1", "PGPORT": str(self.port),
            "PGUSER": self.user, "PGPASSWORD": self.password, "PGDATABASE": DATABASE, "PGGSSENCMODE": "disable", **tls,
        }


@contextmanager
def relay(binary, upstream, certs, threads=None):
    """The raw relay's port and process."""
    port = free_port()
    command = [binary, "--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]
    if threads:
        command += ["--threads", str(threads)]
    if certs:
        command += ["--certificate", certs / "server.crt", "--key", certs / "server.key"]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: listens(port), "the relay", process)
        yield port, process.pid
    finally:
        end(process)


def bouncer_program():
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@contextmanager
def bouncer(folder, upstream, secret, certs, fresh=False):
    """pgbouncer in session mode; `fresh` logs in upstream anew for every client, as the others do.
    `secret` is the login's SCRAM secret, with which pgbouncer need not derive keys upstream."""
    port = free_port()
    folder.mkdir()
    (folder / "users.txt").write_text(f'"{LOGIN}" "{secret}"\n')
    settings = {
        "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "pool_mode": "session",
        "auth_type": "scram-sha-256", "auth_file": folder / "users.txt", "max_client_conn": BOUNCER_CLIENTS,
        "default_pool_size": 1000, "server_tls_sslmode": "disable", "logfile": folder / "log",
        "log_connections": 0, "log_disconnections": 0,
    }
    if fresh:
        settings["server_lifetime"] = 0
    if certs:
        for name in ("server.crt", "server.key"):
            shutil.copy(certs / name, folder / name)
        settings |= {
            "client_tls_sslmode": "require", "client_tls_cert_file": folder / "server.crt",
            "client_tls_key_file": folder / "server.key",
        }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    ini = folder / "pgbouncer.ini"
    ini.write_text("\n".join(["[databases]", f"* = host=127.0.0.1 port={upstream}", "[pgbouncer]", *lines, ""]))
    options, owner = unprivileged()
    if owner:
        for path in (folder, *folder.iterdir()):
            os.chown(path, *owner)
    process = subprocess.Popen(
        [bouncer_program(), "--quiet", ini], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **options
    )
    try:
        wait_until(lambda: listens(port), f"pgbouncer ({folder}/log)", process)
        yield port, process.pid
    finally:
        end(process)


class Fleet:
    """The targets in front of one upstream, with TLS towards clients or without."""

    def __init__(self, options, stack, folder, warehouse, certs):
        self.options, self.stack, self.folder = options, stack, Path(folder)
        self.warehouse, self.certs = warehouse, certs
        self.started = {}

    def targets(self, tls):
        if tls not in self.started:
            self.started[tls] = list(self.start(tls))
        return self.started[tls]

    def start(self, tls):
        certs = self.certs if tls else None
        ca = str(certs / "ca.crt") if tls else None
        kind = "tls" if tls else "plain"
        login = (LOGIN, LOGIN_PASSWORD, ca)
        wanted = self.options.targets.split(",")
        upstream = self.warehouse.port
        if "direct" in wanted:
            yield Target("direct", upstream, *login, None)
        for name, threads in RELAYS.items():
            if name in wanted:
                port, pid = self.stack.enter_context(relay(self.options.relay, upstream, certs, threads))
                yield Target(name, port, *login, pid)
        if "pgbouncer" in wanted:
            secret = self.warehouse.sql(f"select rolpassword from pg_authid where rolname = '{LOGIN}'")
            port, pid = self.stack.enter_context(
                bouncer(self.folder / f"pgbouncer-{kind}", upstream, secret, certs)
            )
            yield Target("pgbouncer", port, *login, pid)
            if tls and "connect" in self.options.tests:
                port, pid = self.stack.enter_context(
                    bouncer(self.folder / "pgbouncer-fresh", upstream, secret, certs, fresh=True)
                )
                yield Target("pgbouncer-fresh", port, *login, pid)
        if "tollgate" in wanted:
            gate = self.stack.enter_context(self.gate(kind, upstream, certs))
            yield Target("tollgate", gate.port, ACCOUNT, ACCOUNTS[ACCOUNT], ca, gate.pid)

    def gate(self, name, upstream, certs, **settings):
        return Gate(
            self.options.binary, self.folder / f"tollgate-{name}", upstream,
            limits=LIMITS, tls=certs, connections=BOUNCER_CLIENTS, **settings,
        )


def check_programs(options):
    for what, path in (("tollgate", options.binary), ("tollgate-relay", options.relay)):
        if what.removeprefix("tollgate-") in options.targets and not path.exists():
            sys.exit(f"bench: {path} is not built; `make bench` builds it")
    if "pgbouncer" in options.targets and bouncer_program() is None:
        print("bench: no pgbouncer (apt-get install pgbouncer); measured without it", file=sys.stderr)
        options.targets = ",".join(name for name in options.targets.split(",") if name != "pgbouncer")


RELEASE = ROOT / "target/release"
