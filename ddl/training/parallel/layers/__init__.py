"""The layers of a model as a list of calls: which tensors each one needs and makes, and calls in parts."""
