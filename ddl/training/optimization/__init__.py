"""Optimizers, learning rates, and what a monitored value decides."""
