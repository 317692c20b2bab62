"""An upstream that lets everyone log in and then says nothing: stands in for thousands of backends."""

import asyncio
import struct
import threading

PARAMETERS = {
    "server_version": "15.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
    "integer_datetimes": "on", "standard_conforming_strings": "on", "TimeZone": "UTC", "is_superuser": "off",
    "session_authorization": "tollgate", "IntervalStyle": "postgres",
}
BACKLOG = 1024
SPECIAL = (80877103, 80877104)


def frame(tag, body):
    return tag + struct.pack("!I", len(body) + 4) + body


READY = frame(b"Z", b"I")
WELCOME = (
    frame(b"R", struct.pack("!I", 0))
    + b"".join(frame(b"S", f"{name}\0{value}\0".encode()) for name, value in PARAMETERS.items())
    + frame(b"K", struct.pack("!II", 4242, 4242))
    + READY
)


async def serve(reader, writer):
    try:
        while True:
            length, code = struct.unpack("!II", await reader.readexactly(8))
            await reader.readexactly(length - 8)
            if code not in SPECIAL:
                break
            writer.write(b"N")
        writer.write(WELCOME)
        while True:
            tag, length = struct.unpack("!cI", await reader.readexactly(5))
            await reader.readexactly(length - 4)
            if tag == b"Q":
                writer.write(frame(b"C", b"SET\0") + READY)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


class SilentUpstream:
    """Runs in a thread of its own; starts with `with`."""

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        starting = asyncio.start_server(serve, "127.0.0.1", 0, backlog=BACKLOG)
        self.server = asyncio.run_coroutine_threadsafe(starting, self.loop).result(10)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


def main():
    """In a process of its own: prints its port, ends with its standard input."""
    import sys

    with SilentUpstream() as upstream:
        print(upstream.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
