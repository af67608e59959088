"""Losses and average precision of models that find boxes."""
