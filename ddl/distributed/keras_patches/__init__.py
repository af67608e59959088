"""All that changes Keras or relies on its internals: read it first when Keras moves."""
