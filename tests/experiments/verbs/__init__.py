"""Tests of the verbs of scripts/experiments.py."""
