"""Inference backends: one module for each, and a table of them."""
