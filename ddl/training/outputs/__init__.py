"""Files that a run writes beside its run directory, for readers of other programs."""
