"""Networks of dolphin-dnn and Cay, from protobuf's text format. No TensorFlow: `read_neuralnet` is the way in."""

from ddl.models.network.prototxt.neuralnet import (
    NeuralNet,
    looks_like_prototxt,
    network_of,
    read_neuralnet,
)

__all__ = ["NeuralNet", "looks_like_prototxt", "network_of", "read_neuralnet"]
