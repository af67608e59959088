"""The machine that an agent runs on: its processes, memory, disk and GPUs, read from the system's own files."""
