"""What brings the store and the machines together: submit, sync, manage, stop."""
