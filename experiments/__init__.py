"""Benchmarks, the demo, and one module per table of results."""
