"""Everything that changes Keras or relies on its internals. Start here when a Keras release breaks something."""
