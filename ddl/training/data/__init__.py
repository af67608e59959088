"""Opens, splits and checks the samples of a plan."""
