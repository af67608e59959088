"""Tests of ddl.config.json_run."""
