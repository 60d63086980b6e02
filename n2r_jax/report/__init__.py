"""Runs as one web page: scores, curves and every text with its reasons, in a single file."""
