"""Tests of ddl/experiments/store."""
