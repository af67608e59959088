"""Starts and watches a job, and starts it again with the ranks that are left or have come. Knows no TensorFlow."""
