"""Scoring in SQL: code that runs inside PostgreSQL (`server` and `in_database`), and its clients.

PL/Python imports the inside part in the server's own processes. That part runs no SQL and loads no TensorFlow.
"""
