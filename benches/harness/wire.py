"""A client of raw frames on a blocking socket: logs in, asks, drains. Cheap, so that it measures others."""

import base64
import functools
import hashlib
import hmac
import os
import socket
import ssl
import struct

from .warehouse import DATABASE

SSL_REQUEST = struct.pack("!II", 8, 80877103)
TIMEOUT_SECONDS = 120
DRAIN_BYTES = 1 << 20
READY_BYTES = 6


class Refused(Exception):
    """An ErrorResponse."""


@functools.cache
def salted(password, salt, rounds):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), rounds)


def frame(tag, body):
    return tag + struct.pack("!I", len(body) + 4) + body


class Connection:
    """Logged in; `target` has host, port, user, password and the authority's `ca` where TLS is spoken."""

    def __init__(self, target, database=DATABASE):
        self.socket = socket.create_connection(("127.0.0.1", target.port), timeout=TIMEOUT_SECONDS)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if target.ca:
                self.socket.sendall(SSL_REQUEST)
                if self.socket.recv(1) != b"S":
                    raise Refused("no TLS")
                self.socket = context(target.ca).wrap_socket(self.socket, server_hostname="localhost")
            options = f"user\0{target.user}\0database\0{database}\0application_name\0bench\0\0".encode()
            self.socket.sendall(struct.pack("!II", len(options) + 8, 196608) + options)
            self.log_in(target.password)
        except BaseException:
            self.socket.close()
            raise

    def exactly(self, count):
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise EOFError("the connection ended")
            parts += part
        return bytes(parts)

    def message(self):
        header = self.exactly(5)
        body = self.exactly(struct.unpack("!I", header[1:])[0] - 4)
        if header[:1] == b"E":
            raise Refused(body.replace(b"\0", b" ").decode(errors="replace"))
        return header[:1], body

    def log_in(self, password):
        nonce = base64.b64encode(os.urandom(18)).decode()
        first = f"n=,r={nonce}"
        while True:
            tag, body = self.message()
            if tag == b"Z":
                return
            if tag != b"R":
                continue
            kind = struct.unpack("!I", body[:4])[0]
            if kind == 10:
                opening = f"n,,{first}".encode()
                self.socket.sendall(frame(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(opening)) + opening))
            elif kind == 11:
                self.socket.sendall(frame(b"p", proof(password, first, body[4:].decode())))
            elif kind not in (0, 12):
                raise Refused(f"authentication {kind}")

    def ask(self, sql):
        """A simple query, to its end."""
        self.socket.sendall(frame(b"Q", sql.encode() + b"\0"))
        while self.message()[0] != b"Z":
            pass

    def drain(self, sql):
        """A simple query whose rows are counted in bytes and thrown away. Its rows must not end as the
        last message does."""
        self.socket.sendall(frame(b"Q", sql.encode() + b"\0"))
        buffer, tail, total = bytearray(DRAIN_BYTES), b"", 0
        view = memoryview(buffer)
        while True:
            read = self.socket.recv_into(buffer)
            if read == 0:
                raise EOFError("the connection ended")
            total += read
            tail = (tail + bytes(view[max(0, read - READY_BYTES):read]))[-READY_BYTES:]
            if tail[:5] == b"Z\0\0\0\5":
                return total

    def close(self):
        try:
            self.socket.sendall(frame(b"X", b""))
        except OSError:
            pass
        self.socket.close()


@functools.cache
def context(ca):
    return ssl.create_default_context(cafile=ca)


def proof(password, first, challenge):
    """The client's last word in SCRAM (RFC 5802)."""
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    secret = salted(password, fields["s"], int(fields["i"]))
    client_key = hmac.digest(secret, b"Client Key", "sha256")
    last = f"c=biws,r={fields['r']}"
    signature = hmac.digest(hashlib.sha256(client_key).digest(), f"{first},{challenge},{last}".encode(), "sha256")
    shown = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    return f"{last},p={shown}".encode()
