"""Parameters: lists of settings, random draws, and the reader of the key `parameters`."""
