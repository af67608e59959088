"""Rows of variables from files that grow: JSON lines, CSV, whole JSON documents, lines of text by a pattern."""
