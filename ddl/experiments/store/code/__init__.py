"""The code that experiments run: commit, differences, and a frozen copy."""
