"""The checks, a family a module: each function takes a `View` and returns a `Finding` or None. Pure."""
