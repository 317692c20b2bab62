"""Large results through a target: MB/s, the proxy's CPU for a GB, its peak memory."""

import time

from harness.processes import cpu_seconds, reset_peak, status_kib
from harness.wire import Connection

# Bytes of one row, rows of a GB.
SHAPES = {
    "rows": (100, "SELECT g AS id, 'customer-' || g AS name, repeat('x', 70) AS note FROM generate_series(1, {rows}) AS g"),
    "wide rows": (8050, "SELECT g AS id, " + ", ".join(f"repeat('abcdefgh', 100) AS c{n}" for n in range(10))
                  + " FROM generate_series(1, {rows}) AS g"),
}
SETTLE_SECONDS = 0.2


def once(target, shape, gigabytes):
    row_bytes, text = SHAPES[shape]
    connection = Connection(target)
    try:
        if target.pid:
            reset_peak(target.pid)
        before = cpu_seconds(target.pid) if target.pid else 0
        began = time.monotonic()
        received = connection.drain(text.format(rows=int(gigabytes * 1e9 / row_bytes)))
        seconds = time.monotonic() - began
    finally:
        connection.close()
    if received < gigabytes * 5e8:
        raise RuntimeError(f"{target.name} passed {received} bytes of {gigabytes} GB: truncated or refused")
    result = {"bytes": received, "seconds": seconds, "mb_per_second": received / 1e6 / seconds}
    if target.pid:
        # The last bytes' bookkeeping may come after the client has them.
        time.sleep(SETTLE_SECONDS)
        result["cpu_seconds_per_gb"] = (cpu_seconds(target.pid) - before) / (received / 1e9)
        result["peak_rss_mib"] = status_kib(target.pid, "VmHWM") / 1024
    return result
