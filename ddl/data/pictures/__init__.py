"""Picture files and what is done to one picture."""
