"""Several experiments beside each other: curves, where the time went, what differs in settings, code and results."""
