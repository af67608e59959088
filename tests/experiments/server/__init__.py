"""Tests of the live page: its server by HTTP, and the page in a real Chromium."""
