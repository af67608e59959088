"""When this rank waits for a reduction, and Horovod's timeline."""
