"""From a text of a user (YAML, JSON, CSV) to experiments with names, each checked."""
