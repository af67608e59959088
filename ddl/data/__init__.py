"""Where samples come from, and which rank sees which. Knows of ranks no more than two integers."""
