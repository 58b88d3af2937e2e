"""Benchmarks: `python -m benchmarks.<name> [--json]`, each printing figures and ratios."""
