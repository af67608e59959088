"""Boxes of objects in pictures, in NumPy alone: geometry, layouts of detectors, decoding, suppression, scores.

docs/decisions/0023-boxes-are-fractions-in-rows.md says what a row of boxes holds.
"""
