"""From this rank's gradients to the mean over the global batch."""
