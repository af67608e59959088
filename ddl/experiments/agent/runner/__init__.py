"""The queue of a machine without a scheduler: one process starts attempts as slots, GPUs and memory become free."""
