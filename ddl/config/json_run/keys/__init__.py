"""The table of keys, by section of a config."""
