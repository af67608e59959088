"""Tests of ddl/experiments/preflight."""
