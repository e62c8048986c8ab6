"""What the sinkhole saw, in the words of the raw data."""

import json

TIMES = {"once": 1, "few": 2, "many": 10}
PORTS = {"http": "80", "https": "443"}


def add_to(events, report):
    """Adds a report of `Sinkhole.collect` to an `Events`; whether the sinkhole still lives."""
    for row in report["events"]:
        if row["kind"] == "sinkhole-lost":
            return False
        kind, what = words(row)
        times = TIMES[row["count"]]
        events.add(kind, what, times=times)
        for found in row.get("baits", "").split():
            bait, _, encoding = found.partition(":")
            events.add("bait-left", f"{bait} {encoding} in {what}", times=times)
    return True


def words(row):
    """(kind, what) of one event of the sinkhole."""
    kind, to = row["kind"], row["to"]
    if kind == "dns":
        via = f" at {row['resolver']}" if "resolver" in row else ""
        return "name", f"{'A' if row.get('type') == 'address' else row.get('type', 'ANY')} {to}{via}"
    if kind == "dns-leak":
        return "name", f"names below {to}"
    if kind == "joined-leak":
        return "request", f"several to {to}"
    if kind == "icmp":
        return "connect", f"icmp {to}"
    protocol, port = row.get("protocol", kind), row.get("port", "")
    if "method" in row:
        place = to if port in ("", PORTS.get(protocol)) else f"{to}:{port}"
        return "request", f"{row['method']} {protocol}://{place}{row.get('path', '/')}"
    if protocol == "none":
        return "connect", f"{kind} {to}:{port}"
    if kind == "udp":
        return "request", f"udp {to}:{port}"
    return ("connect" if protocol == "tcp" and row.get("first") == "none" else "request"), f"{protocol} {to}:{port}"


def evidence_text(report):
    """First bytes of what was sent, one JSON object per line, sorted; not compared."""
    return "".join(sorted(json.dumps(entry, sort_keys=True) + "\n" for entry in report["evidence"])).encode()
