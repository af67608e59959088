"""Predictions as files: what is asked for, computed and written."""
