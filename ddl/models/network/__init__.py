"""Networks from a file: a document in Keras's JSON becomes nodes, and nodes become a Keras model or a summary."""
