"""The steps of a training run: the interface that the loop calls, and its implementation."""
