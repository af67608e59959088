"""Takes, writes, finds and restores checkpoints."""
