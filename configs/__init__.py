"""One file per result row; the command, the expected number and the time are in its docstring."""
