"""Steps of ranks that are unlike, far apart, or too small for the model: balanced, local, partitioned."""
