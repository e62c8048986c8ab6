"""Sets locale defaults."""
