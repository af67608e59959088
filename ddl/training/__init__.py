"""A `Plan` in, a `History` out."""
