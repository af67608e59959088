"""From samples to batches: read ahead, augmented, kept in memory."""
