"""Commands: templates with placeholders, and the words that run."""
