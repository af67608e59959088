"""One model on several ranks: each holds consecutive layers, and parts of a batch pass through them in turn."""
