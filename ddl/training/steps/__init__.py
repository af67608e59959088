"""What happens within a step: the interface that the loop calls, and its implementations."""
