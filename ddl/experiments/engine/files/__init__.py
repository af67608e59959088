"""Files of experiments between the store and nodes that do not see it, and their removal."""
