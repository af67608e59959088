"""Checkpoints: taken, written, found, restored."""
