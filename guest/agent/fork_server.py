"""
Forks for each run: `python3 -B fork_server.py pip|lint|import|program`, started by `tools`. Our tools are loaded once, before.
Nothing of a package is ever read in this process: requests come from the agent, and what handles a package's files is a fork.
`program` has no tool: its forks become the programs that are to run under its tracer (`tracer`).
"""

import _socket
import json
import os
import sys

AGENT = os.path.dirname(os.path.abspath(__file__))
REQUEST_BYTES = 64 * 1024
SOCKET = 10
MODULES = {"pip": "pip_tool", "lint": "linter", "import": "importer"}


def main(kind):
    sys.path.append(AGENT)
    import child

    tool = __import__(MODULES[kind]) if kind in MODULES else None
    sys.path.remove(AGENT)
    if tool is not None:
        tool.load()
    os.set_inheritable(SOCKET, False)
    serve(_socket.socket(fileno=SOCKET), kind, tool, child)


def serve(line, kind, tool, child):
    """Until the agent is gone."""
    import array
    import gc

    size = array.array("i").itemsize
    # What is here now is shared with every fork: collecting it would only copy its pages.
    gc.collect()
    gc.freeze()
    line.send(json.dumps({"ready": kind}).encode())
    while True:
        data, ancillary, _, _ = line.recvmsg(REQUEST_BYTES, _socket.CMSG_SPACE(2 * size))
        if not data:
            return
        request = json.loads(data)
        descriptors = array.array("i")
        for _, _, rights in ancillary:
            descriptors.frombytes(rights)
        if "wait" in request:
            _, status, usage = os.wait4(request["wait"], 0)
            line.send(json.dumps({"status": status, "usage": list(usage)}).encode())
            continue
        if "sync" in request:
            # The tracer stops this process for it, so it has written all that came before (`tracer.Watch`).
            os.kill(os.getpid(), 0)
            line.send(b"{}")
            continue
        fields = {**request["launch"], "output": descriptors[0], "result": descriptors[1] if len(descriptors) > 1 else None}
        launch = child.Launch(**fields)
        pid = os.fork()
        if pid == 0:
            arguments = request["arguments"]
            if tool is None:
                child.execute(arguments["argv"], launch)
            child.call(lambda: leave_agent(tool).run(**arguments), launch)
        for descriptor in descriptors:
            os.close(descriptor)
        line.send(json.dumps({"pid": pid}).encode())


def leave_agent(tool):
    """In the fork: the agent's modules are not there for what looks modules up by name."""
    import types

    for key, module in list(sys.modules.items()):
        if os.path.dirname(getattr(module, "__file__", None) or "") == AGENT:
            del sys.modules[key]
    sys.modules["__main__"] = types.ModuleType("__main__")
    return tool


if __name__ == "__main__":
    main(sys.argv[1])
