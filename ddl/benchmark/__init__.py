"""Measure the speed of training on this machine, and project it to other networks and more ranks."""
