"""A trained model in, predictions out: of pictures of any size, by any backend. Stands on `ddl.training`."""
