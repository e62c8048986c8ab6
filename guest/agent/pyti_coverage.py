"""
Which lines of the distribution's own modules run, in the process of its tests; the recorders tell it. With `sys.monitoring` (PEP 669) each
line costs one call in the life of a process, and a project's own trace function or coverage tool is left alone. Before Python
3.12 there is only the trace function, which is slow and which a test may take for itself: then it is done in a run apart (`tests`).
"""

import json
import os
import sys

#: One of those that have no name (debugger, coverage, profiler, optimizer): a project may measure itself meanwhile.
TOOL = 4
ROW_LINES = 4000


class Lines:
    """`own`: paths below any of `roots`, folders that end in `/`."""

    def __init__(self, own, roots):
        self._own, self._roots = frozenset(own), tuple(roots)
        self._names, self._seen, self._told = {}, {}, {}

    def _set_of(self, filename):
        """Where the lines of a file go, None when it is not the distribution's."""
        if not filename.startswith(self._roots):
            return None
        if filename not in self._names:
            found = [filename[len(root) :] for root in self._roots if filename.startswith(root)]
            name = next((name for name in found if name in self._own), None)
            self._names[filename] = None if name is None else self._seen.setdefault(name, set())
        return self._names[filename]

    def watch(self):
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            self._trace()

    def _monitor(self):
        monitoring = sys.monitoring
        line_event, stop, tool = monitoring.events.LINE, monitoring.DISABLE, TOOL
        set_of = self._set_of

        def on_start(code, _offset):
            if set_of(code.co_filename) is not None:
                monitoring.set_local_events(tool, code, line_event)
            return stop

        def on_line(code, line):
            found = set_of(code.co_filename)
            if found is not None:
                found.add(line)
            return stop

        monitoring.use_tool_id(tool, "pyti")
        monitoring.register_callback(tool, monitoring.events.PY_START, on_start)
        monitoring.register_callback(tool, line_event, on_line)
        monitoring.set_events(tool, monitoring.events.PY_START)

    def _trace(self):
        import threading

        tracers, set_of = {}, self._set_of

        def tracer(found):
            def on_event(frame, event, _arg):
                if event == "line":
                    found.add(frame.f_lineno)
                return on_event

            return on_event

        def on_call(frame, _event, _arg):
            filename = frame.f_code.co_filename
            found = set_of(filename)
            if found is None:
                return None
            if filename not in tracers:
                tracers[filename] = tracer(found)
            return tracers[filename]

        threading.settrace(on_call)
        sys.settrace(on_call)

    def take(self):
        """[(name, lines)] not given before, in rows of bounded length."""
        rows = []
        for name, seen in list(self._seen.items()):
            told = self._told.setdefault(name, set())
            if len(seen) != len(told):
                new = sorted(line for line in seen - told if isinstance(line, int))
                told |= seen
                rows += [(name, new[at : at + ROW_LINES]) for at in range(0, len(new), ROW_LINES)]
        return rows


def asked():
    """The lines to watch of a run that the agent wants measured, watched from now on; else None."""
    try:
        with open(os.environ["PYTI_TESTS"], encoding="utf-8") as file:
            wanted = json.load(file).get("cover")
        if wanted is None:
            return None
        lines = Lines(wanted["own"], wanted["roots"])
        lines.watch()
        return lines
    except (KeyError, OSError, ValueError):
        return None
