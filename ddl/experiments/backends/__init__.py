"""Where an experiment runs: this machine, ssh, Slurm. One table."""
