"""Detectors: models that find boxes. docs/decisions/0023-boxes-are-fractions-in-rows.md says what they give."""
