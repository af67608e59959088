"""What computes a trained model: one file a backend, and one table of them."""
