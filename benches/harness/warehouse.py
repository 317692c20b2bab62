"""A private PostgreSQL that plays the warehouse."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .processes import free_port, listens, unprivileged, wait_until

DATABASE = "dev"
SUPERUSER = "postgres"
SUPERUSER_PASSWORD = "warehouse-superuser"
# Everyone's login upstream; clients of targets that are no gate use it too, so that the server's part is one.
LOGIN = "tollgate"
LOGIN_PASSWORD = "warehouse-login"
ROLES = f"""
create role {LOGIN} login password '{LOGIN_PASSWORD}';
create role dbt login password '{LOGIN_PASSWORD}';
grant pg_read_all_data, pg_write_all_data to {LOGIN};
grant all on database {DATABASE} to {LOGIN}, dbt;
grant all on schema public to {LOGIN}, dbt;
"""


def programs():
    """The newest server's folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else sys.exit("no PostgreSQL server; `make setup` installs one")


def client_program(name):
    found = shutil.which(name, path=f"{programs()}{os.pathsep}{os.environ['PATH']}")
    return found or sys.exit(f"no {name}; `make setup` installs PostgreSQL's clients")


class Warehouse:
    """Starts with `with`; everyone may pass through `folder`, which holds it."""

    def __init__(self, folder, connections=1200, certificates=None, settings=()):
        self.folder = Path(folder) / "warehouse"
        self.data = self.folder / "data"
        self.port = free_port()
        self.options, self.owner = unprivileged()
        self.settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "max_connections": connections, "shared_buffers": "64MB", "work_mem": "1MB", "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off", "jit": "off",
            "logging_collector": "off", **dict(settings),
        }
        self.certificates = certificates

    def run(self, program, *arguments, check=True):
        done = subprocess.run(
            [programs() / program, *arguments], capture_output=True, text=True, check=False, cwd="/", **self.options
        )
        if check and done.returncode != 0:
            sys.exit(f"{program}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def own(self, path, mode):
        if self.owner:
            os.chown(path, *self.owner)
        os.chmod(path, mode)

    def __enter__(self):
        self.folder.mkdir()
        self.own(self.folder, 0o700)
        password = self.folder / "password"
        password.write_text(SUPERUSER_PASSWORD)
        self.own(password, 0o600)
        self.run(
            "initdb", "-D", str(self.data), "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", str(password),
            "-E", "UTF8", "--locale", "C", "--no-sync",
        )
        if self.certificates:
            for name, mode in (("server.crt", 0o644), ("server.key", 0o600)):
                shutil.copy(self.certificates / name, self.data / name)
                self.own(self.data / name, mode)
            self.settings |= {"ssl": "on"}
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())
        self.start()
        self.sql(f"create database {DATABASE}", database="postgres")
        self.sql(ROLES)
        return self

    def start(self):
        self.run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-s", "start")
        wait_until(lambda: listens(self.port), "the warehouse")

    def restart(self, how):
        """`how`: fast or immediate."""
        self.run(
            "pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-s", "-m", how, "restart"
        )

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", str(self.data), "-w", "-s", "-m", "immediate", "stop", check=False)

    @property
    def env(self):
        """The superuser's, for PostgreSQL's own clients."""
        return {
            **os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": SUPERUSER,
            "PGPASSWORD": SUPERUSER_PASSWORD, "PGSSLMODE": "disable",
        }

    def sql(self, text, database=DATABASE):
        """What the last statement answers, unaligned."""
        done = subprocess.run(
            [client_program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database],
            input=text, env=self.env, capture_output=True, text=True, check=False, timeout=120,
        )
        if done.returncode != 0:
            sys.exit(f"the warehouse: {done.stderr.strip()}")
        return done.stdout.strip()

    def load_pgbench(self, scale):
        command = [client_program("pgbench"), "-i", "-q", "-s", str(scale), DATABASE]
        subprocess.run(command, env=self.env, check=True, capture_output=True)

    def backends(self, user=LOGIN):
        return int(self.sql(f"select count(*) from pg_stat_activity where usename = '{user}'"))
