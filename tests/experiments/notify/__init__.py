"""Tests of events, outbox and mail."""
