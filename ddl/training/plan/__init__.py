"""What to train, as one frozen value, and how flags say it."""
