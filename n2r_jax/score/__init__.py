"""Scores of prediction files, by the definitions of those who will check them."""
