"""Delimited text: a sample a line, numbers separated by commas, blanks or a regular expression."""
