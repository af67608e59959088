"""Times that this rank waits for reductions, and Horovod's timeline."""
