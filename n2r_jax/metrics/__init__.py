"""Scores of predictions and of rationales, each named by its definition."""
