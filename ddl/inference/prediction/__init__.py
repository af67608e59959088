"""Prediction of pictures and volumes, with results in files."""
