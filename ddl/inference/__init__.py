"""Prediction and evaluation with a trained model: pictures of any size, any backend. Imports `ddl.training`."""
