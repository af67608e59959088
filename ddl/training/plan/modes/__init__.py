"""Which settings each mode of parallel training uses, and what it cannot do. No TensorFlow."""
