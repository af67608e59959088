"""Functions and a model put into a database."""
