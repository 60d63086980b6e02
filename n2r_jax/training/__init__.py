"""One compiled step for any method, and the loop around it."""
