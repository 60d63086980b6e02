"""Runs against each other on the same texts: a table, and which differences may be chance."""
