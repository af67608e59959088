"""Training, evaluation and prediction from one JSON file: a document in, a `Plan` out."""
