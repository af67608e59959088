"""Tests of ddl/experiments/diagnosis."""
