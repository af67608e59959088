"""How fast a model is in Keras and as exports."""
