"""What a text costs that was never seen before: quoted from `cargo bench --bench understand`."""

import re
import subprocess

from harness.gate import ROOT

TIME = re.compile(r"^(usual/[\w ]+ B(?:, fingerprint)?)?\s*time:\s+\[\S+ \S+ (\S+) (\S+) \S+ \S+\]")
NAME = re.compile(r"^(usual/[\w ,]+)$")


def measure():
    done = subprocess.run(
        ["cargo", "bench", "--locked", "--bench", "understand", "--", "usual"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-400:]}
    figures, name = {}, None
    for line in done.stdout.splitlines():
        alone = NAME.match(line)
        if alone:
            name = alone[1]
        found = TIME.match(line)
        if found:
            figures[(found[1] or name).removeprefix("usual/")] = f"{found[2]} {found[3]}"
    return figures
