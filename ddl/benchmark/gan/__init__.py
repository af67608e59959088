"""Throughput of GAN training: each loss on each number of ranks."""
