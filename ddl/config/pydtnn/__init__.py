"""The commands of PyDTNN, a launcher of CNN benchmarks over MPI, as plans: three generations of flags."""
