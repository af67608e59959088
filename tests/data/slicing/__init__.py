"""Tests of slices: what they are called, which boxes they are, and how their predictions come together again."""
