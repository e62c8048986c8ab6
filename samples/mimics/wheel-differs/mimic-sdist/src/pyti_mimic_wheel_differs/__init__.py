"""Same release."""
