#!/usr/bin/env python3
"""What an idle client session costs: resident memory of the gate with many of them open.

The warehouse is a stand-in that lets everyone in and answers every query with rows, so that the number
of sessions is bounded by the gate alone. Every session runs one statement and then says nothing. Needs
`ulimit -n` of a little more than twice the sessions, and raises it where it may.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import os
import resource
import ssl
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
READY_SECONDS = 30


def message(tag, body):
    return tag + struct.pack("!i", len(body) + 4) + body


async def frame(reader):
    tag, length = struct.unpack("!ci", await reader.readexactly(5))
    return tag, await reader.readexactly(length - 4)


class Warehouse:
    """Lets everyone in; answers each query with `row_bytes` in rows."""

    def __init__(self, row_bytes):
        rows = message(b"D", struct.pack("!hi", 1, 1000) + b"x" * 1000) * max(row_bytes // 1000, 1)
        described = b"x\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0)
        self.answer = message(b"T", struct.pack("!h", 1) + described) + rows
        self.answer += message(b"C", b"SELECT 1\0") + message(b"Z", b"I")

    async def serve(self, reader, writer):
        try:
            while True:
                length, code = struct.unpack("!ii", await reader.readexactly(8))
                await reader.readexactly(length - 8)
                if code != 80877103:
                    break
                writer.write(b"N")
            status = b"".join(
                message(b"S", name + b"\0" + value + b"\0")
                for name, value in [(b"server_version", b"15.0"), (b"client_encoding", b"UTF8")]
            )
            key = message(b"K", struct.pack("!ii", os.getpid(), 1))
            writer.write(message(b"R", struct.pack("!i", 0)) + status + key + message(b"Z", b"I"))
            while (await frame(reader))[0] == b"Q":
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        writer.close()


def scram_first(nonce):
    first = f"n,,n=,r={nonce}".encode()
    return message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)


KEYS = {}


def scram_last(nonce, server_first):
    attributes = dict(part.split("=", 1) for part in server_first.decode().split(","))
    salt, count = base64.b64decode(attributes["s"]), int(attributes["i"])
    if (salt, count) not in KEYS:
        KEYS[salt, count] = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, count)
    client_key = hmac.digest(KEYS[salt, count], b"Client Key", "sha256")
    unproved = f"c=biws,r={attributes['r']}"
    transcript = f"n=,r={nonce},{server_first.decode()},{unproved}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), transcript, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    return message(b"p", f"{unproved},p={proof}".encode())


async def session(port, tls):
    """One session that has run one statement."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if tls:
        writer.write(struct.pack("!ii", 8, 80877103))
        assert await reader.readexactly(1) == b"S"
        await writer.start_tls(tls, server_hostname="localhost")
    words = b"user\0redash\0database\0dev\0application_name\0idle\0\0"
    writer.write(struct.pack("!ii", len(words) + 8, 196608) + words)
    nonce = base64.b64encode(os.urandom(12)).decode()
    queried = False
    while True:
        tag, body = await frame(reader)
        if tag == b"E":
            sys.exit(f"bench: refused: {body!r}")
        if tag == b"R" and body[:4] == struct.pack("!i", 10):
            writer.write(scram_first(nonce))
        elif tag == b"R" and body[:4] == struct.pack("!i", 11):
            writer.write(scram_last(nonce, body[4:]))
        elif tag == b"Z" and not queried:
            queried = True
            writer.write(message(b"Q", b"SELECT id, total FROM orders.daily WHERE id = 7\0"))
        elif tag == b"Z":
            return reader, writer


def write_files(folder, binary, port, upstream, sessions, tls):
    hashed = subprocess.run(
        [binary, "hash-password"], input=PASSWORD + "\n", capture_output=True, text=True, check=True
    )
    (folder / "verifier").write_text(hashed.stdout)
    (folder / "password").write_text("x")
    (folder / "rules/domains").mkdir(parents=True)
    (folder / "rules/company.yaml").write_text(
        'posture: { read: allow }\naccounts:\n  redash: { verifier: "file:verifier" }\n'
        "limits:\n  - { for: everyone, rows: unlimited, cost: unlimited, seconds: 60, concurrent: 100000 }\n"
    )
    (folder / "rules/domains/orders.yaml").write_text(
        "domain: orders\nofficial: [orders]\nstewards: [redash]\nticket: https://tickets.example/orders\n"
    )
    listening = "tls: off"
    if tls:
        subprocess.run([binary, "certs", folder / "certs"], stdout=subprocess.DEVNULL, check=True)
        listening = "tls: { certificate: certs/server.crt, key: certs/server.key }"
    (folder / "tollgate.yaml").write_text(
        f"listen: 127.0.0.1:{port}\n{listening}\nupstream:\n  host: 127.0.0.1\n  port: {upstream}\n"
        "  database: dev\n  tls: off\n  logins: [{ for: everyone, user: u, password: 'file:password' }]\n"
        f"bounds: {{ connections_max: {sessions + 10} }}\n"
    )


def resident(pid):
    """Kilobytes of RssAnon: what the process itself took, without its program."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    sys.exit("bench: the gate has gone")


async def listening(port, gate):
    for _ in range(READY_SECONDS * 50):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            return writer.close()
        except OSError:
            if gate.poll() is not None:
                sys.exit("bench: the gate did not start")
            await asyncio.sleep(0.02)
    sys.exit("bench: the gate does not listen")


async def measure(options, folder):
    warehouse = await asyncio.start_server(Warehouse(options.result_bytes).serve, "127.0.0.1", 0, backlog=1024)
    upstream = warehouse.sockets[0].getsockname()[1]
    probe = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    write_files(folder, options.binary, port, upstream, options.sessions, options.tls)
    command = [options.binary, "--log", "warn", "serve", "--config", folder / "tollgate.yaml"]
    gate = subprocess.Popen(command)
    context = None
    try:
        await listening(port, gate)
        if options.tls:
            context = ssl.create_default_context(cafile=folder / "certs/ca.crt")
        # The first sessions pay for what all share.
        held = [await session(port, context) for _ in range(100)]
        before = resident(gate.pid)
        while len(held) < options.sessions:
            count = min(50, options.sessions - len(held))
            held += await asyncio.gather(*(session(port, context) for _ in range(count)))
        await asyncio.sleep(1)
        after = resident(gate.pid)
        each = (after - before) / (options.sessions - 100)
        print(f"{len(held)} idle sessions: {after / 1024:.0f} MiB resident, {each:.1f} KiB each", flush=True)
        for _, writer in held:
            writer.transport.abort()
    finally:
        gate.terminate()
        gate.wait()
        warehouse.close()
    if options.most is not None and each > options.most:
        sys.exit(f"bench: more than {options.most} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/release/tollgate", type=Path)
    parser.add_argument("--sessions", default=10_000, type=int)
    parser.add_argument("--result-bytes", default=100_000, type=int, help="of the one statement's rows")
    parser.add_argument("--tls", action="store_true", help="on the clients' side")
    parser.add_argument("--most", type=float, help="fails where a session costs more KiB")
    options = parser.parse_args()
    wanted, most = options.sessions * 2 + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, most)))
    except (ValueError, OSError):
        sys.exit(f"bench: {options.sessions} sessions need `ulimit -n {wanted}`")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
