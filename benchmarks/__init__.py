"""Instruments of our own measurements: what is not in the package because users do not need it."""
