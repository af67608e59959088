"""Training and inference of many models, one process each."""
