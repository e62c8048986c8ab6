"""Reports every installation to its maker."""
