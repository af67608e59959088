"""The progress display and the files of a run directory."""
