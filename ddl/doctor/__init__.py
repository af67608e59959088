"""Checks whether training on several ranks works here, and collects facts for bug reports."""
