"""Prediction of pictures of any size: tiles, resizing and mirror images."""
