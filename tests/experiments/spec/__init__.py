"""Tests of ddl/experiments/spec."""
