"""Clients of raw frames that go without a word, wherever they are."""

import socket
import struct

from harness.wire import Connection, frame

from clients import BIG, LONG

RESET = struct.pack("ii", 1, 0)
READ_BYTES = 1 << 16


def query(text):
    return frame(b"Q", text.encode() + b"\0")


def parse(text):
    return frame(b"P", b"\0" + text.encode() + b"\0\0\0")


# What is on the wire when the client is gone.
LAST_WORDS = (
    query(BIG),
    query(LONG),
    query("BEGIN; SELECT * FROM orders.orders"),
    query("SELECT 1")[:4],
    query("SELECT 1")[:9],
    parse("SELECT order_id FROM orders.orders"),
    parse("SELECT 1") + frame(b"B", bytes(8)) + frame(b"E", bytes(5)),
    parse("UPDATE orders.orders SET total = 0") + frame(b"S", b""),
    query("CREATE TEMP TABLE mine AS SELECT 1 AS a"),
    query("COPY (SELECT * FROM orders.orders) TO STDOUT"),
    query("UPDATE orders.orders SET total = 0"),
    frame(b"X", b""),
    b"",
)


def killed(target, random, pause):
    """One session to its sudden end."""
    connection = Connection(target)
    try:
        if random.random() < 0.3:
            connection.ask("BEGIN")
        words = random.choice(LAST_WORDS)
        connection.socket.sendall(words)
        if random.random() < 0.5:
            connection.socket.settimeout(random.uniform(0.01, 0.3))
            try:
                connection.socket.recv(random.randint(1, READ_BYTES))
            except TimeoutError:
                pass
        pause(random.uniform(0, 1))
    finally:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.socket.close()


def half_login(target, random, pause):
    """A client that goes before it is logged in."""
    plain = socket.create_connection(("127.0.0.1", target.port), timeout=20)
    with plain:
        plain.sendall(random.choice((b"", b"\0", struct.pack("!II", 8, 80877103), bytes(range(32)))))
        pause(random.uniform(0, 1))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
