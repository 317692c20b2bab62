"""Whether the record is whole: its chain, an outcome for every statement that passed, every marker."""

import json
import subprocess


def entries(gate):
    """One by one: an hour's record is large."""
    reading = subprocess.Popen(
        [gate.binary, "audit", "search", "--dir", gate.folder / "audit", "--format", "json"],
        stdout=subprocess.PIPE, text=True,
    )
    with reading:
        yield from map(json.loads, reading.stdout)


def problems(gate, markers):
    verified = gate.audit("verify")
    if verified.returncode != 0:
        yield f"`audit verify` ended with {verified.returncode}: {(verified.stdout + verified.stderr).strip()[-400:]}"
    open_statements, connected, ended, missing = {}, set(), set(), set(markers)
    statements = outcomes = 0
    for entry in entries(gate):
        match entry["event"]:
            case "statement":
                statements += 1
                for word in entry["sql"].split():
                    missing.discard(word)
                if entry["verdict"] == "allow":
                    open_statements[entry["id"]] = entry["session"]
            case "outcome":
                outcomes += 1
                if open_statements.pop(entry["statement"], None) is None:
                    yield f"outcome {entry['id']} is of no open statement"
            case "connect":
                connected.add(entry["session"])
            case "disconnect":
                ended.add(entry["session"])
    print(f"record: {statements:,} statements, {outcomes:,} outcomes, {len(connected):,} sessions", flush=True)
    lost = [id for id, session in open_statements.items() if session not in ended]
    if lost:
        yield f"{len(lost)} statements have no outcome and their sessions no end: {lost[:3]}"
    if connected - ended:
        yield f"{len(connected - ended)} sessions have no end: {list(connected - ended)[:3]}"
    if missing:
        yield f"{len(missing)} of {len(markers)} markers are not in the record: {list(missing)[:3]}"
