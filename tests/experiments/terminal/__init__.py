"""Tests of ddl/experiments/terminal."""
