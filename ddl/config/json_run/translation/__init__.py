"""From a checked config to the fields of a plan."""
