"""Detection of failed, dead or stalled ranks, which end the job."""
