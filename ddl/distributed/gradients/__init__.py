"""From each rank's gradients to the mean over the global batch."""
