"""Losses and metrics: what a training run minimises and reports."""
