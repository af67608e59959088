"""Tests of ddl/experiments/backends."""
