"""Tests of ddl/experiments/watching."""
