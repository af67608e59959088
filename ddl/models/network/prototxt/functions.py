"""Activation functions as layers of Keras, with the derivatives that dolphin and Cay have. No TensorFlow."""

from __future__ import annotations

from ddl.models.network.prototxt.chain import Chain
from ddl.models.network.prototxt.tree import Place
from ddl.models.network.prototxt.windows import BadLayer

_OF_KERAS = {"sigmoid": "sigmoid", "tanh": "tanh", "identity": "linear"}


def add_function(chain: Chain, name: str, place: Place, *, tag: str = "") -> None:
    """Add an activation function.

    Args:
        chain: gets the nodes; the last one has the name of the layer and the tag.
        name: name of the function.
        place: where it stands in the file.
        tag: what is put behind the layer's name.

    Raises:
        BadLayer: softmax, which only the last layer may have.
    """
    if name == "softmax":
        raise BadLayer(
            "softmax before the last layer, where the program's derivative is not the gradient",
            "softmax as the last activation, or another function here",
            place,
        )
    taken, shape = chain.end, chain.shape
    before = f"{tag}_" if tag else ""
    if name in _OF_KERAS:
        chain.add("Activation", {"activation": _OF_KERAS[name]}, tag=tag)
    elif (
        name == "relu"
    ):  # of ties, Maximum follows its first input: relu'(0) = 1, while Keras's own has 0
        chain.add("Rescaling", {"scale": 0.0}, tag=f"{before}zero")
        chain.add("Maximum", tag=tag, inputs=(taken, chain.end))
    elif name == "pow":
        chain.add("Multiply", tag=tag, inputs=(taken, taken))
    else:  # abs: x where it is above 0, and -x where that is
        above = chain.add("ReLU", tag=f"{before}above")
        chain.add("Rescaling", {"scale": -1.0}, tag=f"{before}minus", inputs=(taken,), shape=shape)
        below = chain.add("ReLU", tag=f"{before}below")
        chain.add("Add", tag=tag, inputs=(above, below))
