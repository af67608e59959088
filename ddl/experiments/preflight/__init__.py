"""Whether an experiment could start where it should: looked up before anything is queued. What is unknown is said."""
