"""What is wrong with a training run: pure checks over its history, its probe, its resources and its facts."""
