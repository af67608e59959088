"""Tests of the files that a run writes for readers of other programs."""
