"""`tollgate serve` with a configuration of the harness: the example company's rules, limits as said."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from .processes import end, free_port, wait_until
from .warehouse import DATABASE, LOGIN, LOGIN_PASSWORD

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS = {"redash": "redash-password", "tableau": "tableau-password", "dbt_prod": "dbt-password"}
VARIABLES = {"redash": "REDASH_VERIFIER", "tableau": "TABLEAU_VERIFIER", "dbt_prod": "DBT_VERIFIER"}
CONFIG = """\
listen: 127.0.0.1:{port}
tls: {tls}
upstream:
  host: 127.0.0.1
  port: {upstream}
  database: {database}
  tls: off
  logins:
    - {{ for: dbt_prod, user: dbt, password: "env:UPSTREAM_PASSWORD" }}
    - {{ for: everyone, user: {login}, password: "env:UPSTREAM_PASSWORD" }}
rules: rules
{catalog}audit:
  dir: audit
  durability: os
node: measured
admin: 127.0.0.1:{admin}
bounds:
  connections_max: {connections}
"""


def certificates(binary, folder):
    """An authority and a server certificate for this machine."""
    subprocess.run([binary, "certs", str(folder)], check=True, capture_output=True)
    return folder


def limited(company, limits):
    """The rules with other numbers in the line for everyone."""
    lines = company.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if "for: everyone" not in line:
            continue
        for name, value in limits.items():
            line, found = re.subn(rf"\b{name}: \w+", f"{name}: {value}", line)
            if found != 1:
                sys.exit(f"rules/company.yaml: no limit `{name}` for everyone")
        lines[at] = line
    return "".join(lines)


def allowing(company, functions):
    """The rules with functions allowed by name."""
    text, found = re.subn(r"^(functions: \{.*?) \}", rf"\1, allow: [{', '.join(functions)}] }}", company, flags=re.MULTILINE)
    return text if found == 1 else sys.exit("rules/company.yaml: no line for functions")


class Gate:
    """Starts with `with`; ready when it has read its catalog."""

    def __init__(
        self, binary, folder, upstream, *, limits, functions=(), tls=None, catalog=True, connections=2000
    ):
        self.binary = Path(binary).resolve()
        self.folder = Path(folder)
        self.port, self.admin = free_port(), free_port()
        self.upstream, self.limits, self.functions, self.tls = upstream, limits, functions, tls
        self.catalog, self.connections = catalog, connections
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.folder.mkdir()
        shutil.copytree(ROOT / "rules", self.folder / "rules")
        company = self.folder / "rules/company.yaml"
        text = without_tokens(limited(company.read_text(), self.limits))
        company.write_text(allowing(text, self.functions) if self.functions else text)
        tls = f"{{ certificate: {self.tls}/server.crt, key: {self.tls}/server.key }}" if self.tls else "off"
        catalog = f'catalog:\n  login: {{ user: {LOGIN}, password: "env:UPSTREAM_PASSWORD" }}\n  refresh: 5m\n'
        (self.folder / "tollgate.yaml").write_text(
            CONFIG.format(
                port=self.port, admin=self.admin, upstream=self.upstream, database=DATABASE, login=LOGIN, tls=tls,
                catalog=catalog if self.catalog else "", connections=self.connections,
            )
        )
        self.start()
        return self

    def start(self):
        env = {**os.environ, "UPSTREAM_PASSWORD": LOGIN_PASSWORD}
        for account, variable in VARIABLES.items():
            env[variable] = self.verifier(ACCOUNTS[account])
        log = self.folder / "log"
        with log.open("a") as output:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--config", self.folder / "tollgate.yaml"], env=env, stdout=output, stderr=output
            )
        wait_until(self.ready, f"tollgate ({log})", self.process)

    def verifier(self, password):
        done = subprocess.run([self.binary, "hash-password"], input=password, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def ready(self):
        try:
            if not self.catalog:
                return bool(self.metrics())
            return self.metrics().get("tollgate_catalog_relations", 0) > 0
        except OSError:
            return False

    def metrics(self):
        """By name with labels, as rendered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def audit(self, *arguments):
        return subprocess.run(
            [self.binary, "audit", *arguments, "--dir", self.folder / "audit"], capture_output=True, text=True, check=False
        )

    def __exit__(self, *_):
        end(self.process)


def without_tokens(company):
    """Persons' tokens need keys that nobody has here."""
    return re.sub(r"^tokens:\n(?:[ #].*\n)+", "", company, flags=re.MULTILINE)
