"""The folders and files of experiments: written, read, selected. Files are the truth."""
