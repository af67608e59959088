"""Arrays in files: HDF5, `.npy`, `.npz`, IDX."""
