"""Sets up."""
