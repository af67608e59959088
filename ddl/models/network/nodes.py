"""A network as nodes: what every reader of network files makes, and what the builder takes. No TensorFlow.

    nodes = [Node("conv", "Conv2D", {...}, ("input",)), Node("relu", "ReLU", {...}, ("conv",))]
    network = make_network("net", "input", (28, 28, 1), nodes, origin="net.json")

`make_network` sorts the nodes, and refuses dangling names, cycles and more than one output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.boxes.layout import Layout
from ddl.models.network.kinds.kind import Kind
from ddl.models.network.kinds.shapes import Shape
from ddl.models.network.kinds.table import ALL_KINDS
from ddl.ranges import did_you_mean


@dataclass(frozen=True)
class Node:
    """A layer of a network.

    Attributes:
        name: its name in the model.
        kind: its name in `ALL_KINDS`.
        settings: its settings, converted by the kind's table; see `ddl.models.network.translation.settings_of`.
        inputs: names of the nodes that it takes, or of the network's input.
        trains: whether training changes its weights.
        old_name: its name in the file, if another.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[str, ...]
    trains: bool = True
    old_name: str = ""

    @property
    def of_kind(self) -> Kind:
        """What the table says about its kind."""
        return ALL_KINDS[self.kind]


@dataclass(frozen=True, eq=False)
class Network:
    """A checked network with one input and one output.

    Attributes:
        name: its name.
        origin: the file that it comes from, for messages.
        input: name of its input.
        input_shape: shape of its input, without the batch; None is an open side.
        nodes: its layers, each after those that it takes. The last one is the output.
        notes: lines about what is not as the file says it.
        is_fixed: whether its layers are made for the sides of `input_shape` alone.
        layout: what its output's positions are, for a detector.
    """

    name: str
    origin: str
    input: str
    input_shape: Shape
    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()
    is_fixed: bool = False
    layout: Layout | None = None

    @property
    def output(self) -> str:
        """Name of the node whose output is the network's."""
        return self.nodes[-1].name


def refusal(origin: str, received: str, expected: str) -> ValueError:
    """Return the error about a network file."""
    end = "" if expected.endswith("?") else "."  # of "Did you mean X?"
    return ValueError(f"Received: {origin}, {received}. Expected: {expected}{end}")


def make_network(
    name: str,
    input_name: str,
    input_shape: Shape,
    nodes: Sequence[Node],
    *,
    origin: str,
    output: str | None = None,
    notes: Sequence[str] = (),
) -> Network:
    """Return the network of these nodes, which may come in any order.

    Args:
        name: its name.
        input_name: name of its input.
        input_shape: shape of its input without the batch.
        nodes: its layers.
        origin: the file, for messages.
        output: name of the node that is the output; by default the only one that no other node takes.
        notes: lines for whoever trains it.

    Raises:
        ValueError: names that are used twice, or that nobody has; cycles; more than one output.
    """
    if not nodes:
        raise refusal(origin, "an input without a layer", "at least one layer")
    known = {node.name: node for node in nodes}
    _check_names(input_name, nodes, origin)
    _check_inputs(input_name, known, origin)
    ends = [output] if output else _unused(nodes) or [nodes[-1].name]
    if len(ends) > 1:
        raise refusal(
            origin, f"several layers that no other takes ({', '.join(ends)})", "one output"
        )
    if ends[0] not in known:
        raise refusal(origin, f"an output {ends[0]!r} that is no layer", "the name of a layer")
    order = _sorted(known, ends[0], origin)
    left = [node.name for node in nodes if node.name not in order]
    if left:
        notes = [*notes, f"Left out, because they do not lead to the output: {', '.join(left)}."]
    if not any(input_name in known[name].inputs for name in order):
        raise refusal(origin, f"an output {ends[0]} that does not depend on the input", "a path")
    return Network(
        name, origin, input_name, input_shape, tuple(known[name] for name in order), tuple(notes)
    )


def _check_inputs(input_name: str, known: Mapping[str, Node], origin: str) -> None:
    """Refuse a layer that takes what is no layer, or as many inputs as its kind does not."""
    for node in known.values():
        for taken in node.inputs:
            if taken not in known and taken != input_name:
                raise refusal(
                    origin,
                    f"layer {node.name} ({node.kind}) whose input {taken!r} is no layer",
                    f"the name of a layer.{did_you_mean(taken, [input_name, *known])}".rstrip("."),
                )
        if (len(node.inputs) != 1 and not node.of_kind.merges) or not node.inputs:
            raise refusal(
                origin,
                f"layer {node.name} ({node.kind}) with {len(node.inputs)} inputs",
                "one input" if not node.of_kind.merges else "at least one input",
            )


def _check_names(input_name: str, nodes: Sequence[Node], origin: str) -> None:
    counts = Counter([input_name, *(node.name for node in nodes)])
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        old = [node.old_name or node.name for node in nodes if node.name == twice[0]]
        spelled = f" ({' and '.join(old)})" if len(set(old)) > 1 else ""
        raise refusal(
            origin,
            f"the layer name {twice[0]!r} twice{spelled}",
            "a name for each layer; characters such as / become _",
        )


def _unused(nodes: Sequence[Node]) -> list[str]:
    taken = {name for node in nodes for name in node.inputs}
    return [node.name for node in nodes if node.name not in taken]


def _sorted(known: Mapping[str, Node], output: str, origin: str) -> list[str]:
    """Return the names of what leads to the output, each after what it takes. Without recursion: networks are deep."""
    order: dict[str, None] = {}
    path: dict[str, None] = {}  # from the output to where the search is
    ahead = [(output, False)]
    while ahead:
        name, is_done = ahead.pop()
        if is_done:
            path.pop(name)
            order[name] = None
            continue
        if name in order or name not in known:
            continue
        if name in path:
            circle = list(path)[list(path).index(name) :]
            around = " <- ".join([*circle, name])
            raise refusal(origin, f"layers in a circle ({around})", "a graph without circles")
        path[name] = None
        ahead.append((name, True))
        ahead += [(taken, False) for taken in reversed(known[name].inputs)]
    return list(order)
