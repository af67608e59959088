"""Export formats: one module for each, and a table of them."""
