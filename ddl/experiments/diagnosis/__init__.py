"""What is wrong with a training run, by its history, its probe and its resources."""
