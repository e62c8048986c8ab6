"""Cannot be built."""

raise RuntimeError("this release needs a compiler that nobody has")
