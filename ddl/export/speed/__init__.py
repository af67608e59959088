"""Inference benchmark: the speed of a model in Keras and as exports."""
