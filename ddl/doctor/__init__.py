"""Says whether training on several ranks would work here, and what a support thread would ask."""
