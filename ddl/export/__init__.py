"""Trained models as files for other engines, each checked against Keras before it appears."""
