"""The configuration of a training run as one frozen value, and its command-line flags."""
