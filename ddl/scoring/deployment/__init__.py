"""Deployment of a model and its functions to a database."""
