"""How a failed, dead or stalled rank ends the job."""
