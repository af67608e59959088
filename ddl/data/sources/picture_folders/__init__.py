"""Folders of picture files in three layouts."""
