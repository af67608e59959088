"""Pictures to one HDF5 file, and an example data set."""
