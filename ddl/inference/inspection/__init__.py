"""Evaluation sample by sample: losses and metrics, tables and pictures."""
