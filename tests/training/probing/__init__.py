"""Tests of ddl/training/probing."""
