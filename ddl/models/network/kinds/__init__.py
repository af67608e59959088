"""Kinds of layers: their settings, the shapes that they make, and their weights."""
