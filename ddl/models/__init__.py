"""A name and its options -> a Keras model. Knows nothing of ranks or of data."""
