"""Makes a detector of a network that predicts boxes: its levels are joined to one output. No TensorFlow.

Files end in several outputs, one a level, or have joined them in an order of their own. In both cases the layers
before are found, (rows, columns, anchors * (5 + classes)) each, and joined in the order of `ddl.boxes.layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ddl.boxes.layout import FIRST_CLASS, Layout, share_anchors
from ddl.models.network.inference import infer
from ddl.models.network.kinds.shapes import by
from ddl.models.network.nodes import Network, Node, refusal
from ddl.models.network.sizes import own_sides

_HEAD = "(rows, columns, anchors * (5 + classes)) for each level"


def as_detector(network: Network, anchors: Sequence[float]) -> Network:
    """Return a network whose only output is that of a detector, (positions, 5 + classes), finest level first.

    Args:
        network: a network with an output a level, or with one that joins them.
        anchors: width and height of each anchor in pixels, smallest first; equally many for each level.

    Raises:
        ValueError: its levels cannot be found, or the anchors do not fit their channels.
    """
    ends = _ends(network)
    before = replace(network, nodes=_leading_to(network, ends))
    found = _strides(before, ends)
    strides = sorted(found)
    if len(found) < len(ends):
        raise refusal(
            network.origin,
            f"two levels of one size ({', '.join(ends)})",
            "levels of different sizes for model_option anchors",
        )
    names = [found[stride][0] for stride in strides]
    levels = share_anchors(anchors, strides, f"model network ({network.origin})")
    classes = _classes(network, [found[stride] for stride in strides], len(levels[0].anchors))
    layout = Layout("anchors", classes, levels)
    return replace(
        network,
        nodes=(*before.nodes, *_join(before, names, FIRST_CLASS + classes)),
        layout=layout,
    )


def _ends(network: Network) -> list[str]:
    """Return the layers that predict: from the output back through all that only changes places."""
    known = {node.name: node for node in network.nodes}
    found: list[str] = []
    ahead = [network.output]
    while ahead:
        node = known.get(ahead.pop())
        if node is None:
            raise refusal(network.origin, "an output that is its input", "layers that predict")
        if _joins(node):
            ahead += node.inputs
            continue
        activation = node.settings.get("activation", "linear")
        if activation != "linear":
            raise refusal(
                network.origin,
                f"layer {node.name} with activation={activation} for model_option anchors",
                "levels without an activation; decoding and loss apply sigmoids themselves",
            )
        found.append(node.name)
    return found


def _joins(node: Node) -> bool:
    """Return whether a layer leaves all numbers of a cell together and cells in their order."""
    is_linear = node.of_kind.layer == "Activation" and node.settings["activation"] == "linear"
    joins = node.of_kind.layer == "Concatenate" and node.settings["axis"] in (1, -2)
    return joins or is_linear or node.of_kind.layer == "Reshape"


def _leading_to(network: Network, ends: Sequence[str]) -> tuple[Node, ...]:
    """Return the layers that the ends depend on, and these, in their order."""
    needed = set(ends)
    for node in reversed(network.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return tuple(node for node in network.nodes if node.name in needed)


def _strides(network: Network, ends: Sequence[str]) -> dict[int, tuple[str, int]]:
    """Return the side of a cell in pixels -> the layer that predicts there, and its channels."""
    sides = own_sides(network)
    shapes = {
        layer.node.name: layer.shape for layer in infer(network, (*sides, network.input_shape[-1]))
    }
    found = {}
    for name in ends:
        *cells, channels = shapes[name]
        fits = len(cells) == len(sides) == 2 and all(
            count and side % count == 0 for side, count in zip(sides, cells, strict=True)
        )
        strides = {side // (count or 1) for side, count in zip(sides, cells, strict=False)}
        if not fits or len(strides) > 1 or not channels:
            raise refusal(
                network.origin,
                f"layer {name}, which makes {by(shapes[name])} of {by(sides)}, for model_option anchors",
                f"square cells: an output of {_HEAD}",
            )
        found[strides.pop()] = (name, channels)
    return found


def _classes(network: Network, levels: Sequence[tuple[str, int]], per_cell: int) -> int:
    """Return the number of classes that all levels have channels for."""
    counts = {channels / per_cell - FIRST_CLASS for _, channels in levels}
    count = counts.pop()
    if counts or count < 1 or count != int(count):
        told = ", ".join(f"{name} with {channels}" for name, channels in levels)
        raise refusal(
            network.origin,
            f"channels of levels ({told}) for {per_cell} anchors each",
            f"equally many, {per_cell} * (5 + classes)",
        )
    return int(count)


def _join(network: Network, names: Sequence[str], numbers: int) -> list[Node]:
    """Return the layers that join these levels to one output with so many numbers a position."""
    taken = {network.input, *(node.name for node in network.nodes)}

    def free(name: str) -> str:
        while name in taken:
            name += "_"
        return name

    flat = [
        Node(free(f"level_{number}_flat"), "Reshape", {"target_shape": (-1, numbers)}, (name,))
        for number, name in enumerate(names)
    ]
    if len(flat) == 1:
        return [replace(flat[0], name=free("boxes"))]
    inputs = tuple(node.name for node in flat)
    return [*flat, Node(free("boxes"), "Concatenate", {"axis": 1}, inputs)]
