"""One module for each verb of scripts/experiments.py."""
