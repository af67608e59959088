"""Managers on nodes that stay on: packed and started there, and what is left to do here."""
