"""Keras models, built from a name and options. Does not know about ranks or data."""
