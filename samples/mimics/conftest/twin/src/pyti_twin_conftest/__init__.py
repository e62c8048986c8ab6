"""Has tests with a key and a server of their own."""
