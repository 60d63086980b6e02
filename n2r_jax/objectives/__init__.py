"""Objectives: per-input terms, the sums over a batch that hold them, and losses of those sums."""
