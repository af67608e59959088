"""TFRecord shards, read without TensorFlow."""
