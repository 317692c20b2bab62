#!/usr/bin/env python3
"""pgbench -S through nothing, through Tollgate and, where installed, through pgbouncer.

Rounds are interleaved, so that a machine that slows down slows every target alike. Prints for each
target, mode and number of clients: transactions a second, latency at the 50th and 99th percentile, and
the CPU time that the proxy itself used for a transaction. Medians of the rounds.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    name: str
    port: int
    user: str
    password: str
    sslmode: str
    ca: str
    pid: int | None


@dataclass(frozen=True)
class Result:
    tps: float
    p50_us: float
    p99_us: float
    cpu_us: float | None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(ready, process, what):
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"bench: {what} did not start")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def demo(binary, folder):
    """The running demo's state."""
    port = free_port()
    env = {**os.environ, "TMPDIR": str(folder)}
    with (folder / "demo.log").open("w") as log:
        process = subprocess.Popen([binary, "demo", "--port", str(port)], env=env, stdout=log, stderr=log)
    state = folder / f"tollgate-demo-{port}.json"
    try:
        wait_until(state.exists, process, f"the demo ({folder}/demo.log)")
        yield json.loads(state.read_text())
    finally:
        end(process)


@contextmanager
def pgbouncer(program, state, folder):
    """pgbouncer in session mode in front of the same warehouse."""
    port = free_port()
    warehouse = state["warehouse"]
    home = folder / "pgbouncer"
    home.mkdir()
    users = home / "users.txt"
    users.write_text(f'"{warehouse["superuser"]}" "{warehouse["password"]}"\n')
    ini = home / "pgbouncer.ini"
    certs = Path(state["ca"]).parent
    shutil.copy(certs / "server.crt", home / "server.crt")
    shutil.copy(certs / "server.key", home / "server.key")
    ini.write_text(
        f"[databases]\n* = host=127.0.0.1 port={warehouse['port']}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = session\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\nmax_client_conn = 500\ndefault_pool_size = 100\n"
        f"client_tls_sslmode = allow\nclient_tls_cert_file = {home}/server.crt\n"
        f"client_tls_key_file = {home}/server.key\nlogfile = {home}/log\n"
    )
    command = [program, "--quiet", str(ini)]
    options = {}
    if os.geteuid() == 0:
        # pgbouncer does not run as root.
        shutil.chown(home, "nobody")
        for file in home.iterdir():
            shutil.chown(file, "nobody")
        options = {"user": "nobody", "extra_groups": []}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        wait_until(lambda: listens(port), process, f"pgbouncer ({home}/log)")
        yield port, process.pid
    finally:
        end(process)


def cpu_ticks(pid):
    """utime + stime of all threads (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure(pgbench, target, database, mode, clients, seconds):
    env = {
        **os.environ, "PGPASSWORD": target.password, "PGSSLMODE": target.sslmode, "PGSSLROOTCERT": target.ca,
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [
            pgbench, "-n", "-S", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds),
            "--log", f"--log-prefix={folder}/t", "-h", "localhost", "-p", str(target.port), "-U", target.user,
            database,
        ]
        before = cpu_ticks(target.pid) if target.pid else 0
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        after = cpu_ticks(target.pid) if target.pid else 0
        if done.returncode != 0:
            sys.exit(f"bench: pgbench through {target.name} failed: {done.stderr.strip()}")
        # Columns: client, transaction, latency in microseconds, ...
        latencies = sorted(
            int(line.split()[2]) for log in Path(folder).iterdir() for line in log.read_text().splitlines()
        )
    count = len(latencies)
    cpu = (after - before) * 1e6 / TICKS / count if target.pid else None
    return Result(count / seconds, percentile(latencies, 0.5), percentile(latencies, 0.99), cpu)


def load(pgbench, state, scale):
    warehouse = state["warehouse"]
    env = {**os.environ, "PGPASSWORD": warehouse["password"]}
    base = ["-h", "127.0.0.1", "-p", str(warehouse["port"]), "-U", warehouse["superuser"]]
    command = [pgbench, "-i", "-q", "-s", str(scale), *base, state["database"]]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def report(mode, clients, rounds):
    for name, results in rounds.items():
        middle = lambda field: statistics.median(getattr(result, field) for result in results)
        cpu = "      -" if results[0].cpu_us is None else f"{middle('cpu_us'):7.1f}"
        print(
            f"{mode:<9} {clients:>7}  {name:<10} {middle('tps'):>9.0f} {middle('p50_us'):>8.0f} "
            f"{middle('p99_us'):>8.0f} {cpu}",
            flush=True,
        )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/release/tollgate", type=Path)
    parser.add_argument("--seconds", default=5, type=int, help="of one run")
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--modes", default="simple,extended,prepared")
    parser.add_argument("--scale", default=1, type=int, help="of pgbench's tables")
    parser.add_argument("--plain", action="store_true", help="without TLS to pgbouncer (Tollgate always has it)")
    return parser.parse_args()


def main():
    options = arguments()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # The warehouse and pgbouncer may run as other users, who must pass through.
        folder.chmod(0o711)
        state = stack.enter_context(demo(options.binary, folder))
        warehouse = state["warehouse"]
        found = shutil.which("pgbench", path=f"{warehouse['pg_bin']}{os.pathsep}{os.environ['PATH']}")
        if found is None:
            sys.exit("bench: no pgbench; install postgresql-contrib or PostgreSQL's own package")
        load(found, state, options.scale)
        superuser, password, ca = warehouse["superuser"], warehouse["password"], state["ca"]
        targets = [Target("direct", warehouse["port"], superuser, password, "disable", ca, None)]
        targets.append(
            Target("tollgate", state["port"], "redash", state["accounts"]["redash"], "verify-full", ca, state["pid"])
        )
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        if program:
            port, pid = stack.enter_context(pgbouncer(program, state, folder))
            sslmode = "disable" if options.plain else "verify-full"
            targets.append(Target("pgbouncer", port, superuser, password, sslmode, ca, pid))
        print(f"{'mode':<9} {'clients':>7}  {'through':<10} {'tps':>9} {'p50 us':>8} {'p99 us':>8} cpu us/t")
        for mode in options.modes.split(","):
            for clients in map(int, options.clients.split(",")):
                rounds = {target.name: [] for target in targets}
                for _ in range(options.rounds):
                    for target in targets:
                        rounds[target.name].append(
                            measure(found, target, state["database"], mode, clients, options.seconds)
                        )
                report(mode, clients, rounds)


if __name__ == "__main__":
    main()
