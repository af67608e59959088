"""Broadcast, comparison and averages of the variables that ranks share."""
