"""Pictures of a trained generator: what is asked for, and how it is made and written."""
