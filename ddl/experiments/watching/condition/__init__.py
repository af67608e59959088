"""Conditions of watch rules: words and signs, the tree that they mean, and whether it holds at a row."""
