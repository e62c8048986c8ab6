"""Never installed."""
