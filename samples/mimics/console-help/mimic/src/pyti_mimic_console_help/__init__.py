"""A command line tool."""
