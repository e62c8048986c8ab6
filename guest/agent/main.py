"""PID 1 of the guest after `init`: reports to the host, sets the machine up, and leaves the job to a worker.

Only this process and the worker hold the channel; package code never runs in either (see `sandboxed`). Imports are few and
late on purpose: the host counts the time until HELLO, and a job's time runs from GO.
"""

import os
import sys

HOME = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HOME)

import channel  # noqa: E402  (isolated mode leaves the script's folder off the path)

UPPER = "/run/pyti/upper"
#: Above this the results go to the output disk (`guestSerialBytes` of src/wire/limits.ts).
SERIAL_BYTES = 16 * 1024 * 1024


def main(descriptor=None):
    """`descriptor`: the channel, where init could open it already."""
    try:
        if descriptor is not None:
            os.set_inheritable(descriptor, False)
            host = report(descriptor)
            prepare()
        else:
            prepare()
            host = report(channel.open_port())
        worker = os.fork()
        if worker == 0:
            serve_and_leave(host)
        # PID 1 inherits every orphan of the package under test and must reap it.
        while os.wait()[0] != worker:
            pass
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        import machine

        machine.power_off()


def report(descriptor):
    host = channel.Channel(descriptor)
    host.hello(os.uname().release, sys.version.split()[0])
    return host


def prepare():
    import machine

    machine.set_up()


def serve_and_leave(host):
    """The worker: never returns."""
    status = 1
    try:
        serve(host)
        status = 0
    except BaseException:
        import traceback

        text = traceback.format_exc()
        sys.stderr.write(f"pyti: {text}")
        sys.stderr.flush()
        try:
            host.event("setup", "progress", text[-480:])
        except BaseException:
            pass
    os._exit(status)


def serve(host):
    """Answers the host until its one GO, then does the job."""
    is_warm = False
    while True:
        kind, value = host.receive()
        if kind == channel.GO:
            break
        if kind == channel.WARM and not is_warm:
            load()
            is_warm = True
        host.acknowledge()
    job = check(value)
    host.acknowledge()
    import machine

    machine.renew(job["entropy"], job["clockMs"])
    host.event("setup", "start")
    machine.close_devices()
    import disks
    import tasks

    plan, files = disks.read_job(job["job"])
    host.event("setup", "end")
    record, logs = tasks.run(plan, files, UPPER, host.event, set_clock=machine.set_clock)
    hand_out(host, record, logs)


def load():
    """Everything a job needs that does not depend on the job."""
    import audit_reader
    import disks  # noqa: F401
    import sinkhole_server  # noqa: F401
    import sqlite3  # noqa: F401
    import ssl  # noqa: F401
    import static_metadata
    import static_rules
    import tasks  # noqa: F401
    import tools

    static_rules.engine()
    static_metadata.packaging()
    audit_reader.hook()

    tools.warm()


def check(go):
    """GO's fields, with the entropy as bytes. Raises ValueError."""
    job = go.get("job")
    if set(go) != {"job", "entropy", "clockMs"} or not isinstance(job, dict) or set(job) != {"bytes", "sha256"}:
        raise ValueError("GO does not have its fields")
    numbers = (job["bytes"], go["clockMs"])
    if any(type(number) is not int or number < 0 for number in numbers) or not isinstance(go["entropy"], str):
        raise ValueError("GO has a field of a wrong type")
    entropy = bytes.fromhex(go["entropy"])
    if len(entropy) != 32:
        raise ValueError("GO brings no 32 bytes of entropy")
    return {"job": job, "entropy": entropy, "clockMs": go["clockMs"]}


def hand_out(host, record, logs, serial_bytes=SERIAL_BYTES):
    import json

    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    items = [*sorted(logs.items()), ("guest.json", text)]
    if sum(len(data) for _, data in items) > serial_bytes:
        import disks

        items = disks.write_output(items)
    for item in items:
        host.item(*item)
    host.finish()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
