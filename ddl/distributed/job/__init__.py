"""The job as its launcher started it: ranks, environment, cores, output."""
