"""Scoring in SQL: what runs inside PostgreSQL (`server` and below), and what talks to it from outside.

Inside means: PL/Python imports it in the server's own processes. There is no TensorFlow on that side, and no SQL.
"""
