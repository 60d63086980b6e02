"""The recurrences that all the time is spent in."""
