"""Where samples come from, and which rank reads which. Knows only two integers about ranks: rank and size."""
