"""The samples of a plan: opened, split, checked."""
