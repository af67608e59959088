"""Checks of a config: key by key, and keys together."""
