"""Checks that a run's reasons are what they claim to be, and where its scores come from."""
