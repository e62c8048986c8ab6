"""A command line tool that says its usage."""
