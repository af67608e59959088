"""Texts of users as values that know their place: YAML, JSON, CSV; numbers with units."""
