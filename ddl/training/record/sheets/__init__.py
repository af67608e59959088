"""Pictures of what a model predicts, of kinds that have a module of their own."""
