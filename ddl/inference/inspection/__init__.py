"""Losses and metrics of samples one by one."""
