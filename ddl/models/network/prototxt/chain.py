"""A chain of nodes that grows layer by layer and knows its shape, channels last. No TensorFlow.

Every node is a layer of Keras's own, so that checkpoints load without `ddl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.models.network.inference import infer_node
from ddl.models.network.kinds.shapes import Shape
from ddl.models.network.nodes import Node
from ddl.models.network.translation import settings_of

INPUT = "input"


@dataclass
class Chain:
    """Nodes, each of which takes the one before it unless it says otherwise.

    Attributes:
        origin: the file, for messages.
        shape: shape of what the last node makes: (H, W, C) or (N,).
        nodes: the nodes.
        end: name of the last node.
        last: the last layer of the file, which only the caller compares.
        layer: name of the layer of the file that is being added; its nodes are named after it.
    """

    origin: str
    shape: Shape
    nodes: list[Node] = field(default_factory=list)
    end: str = INPUT
    layer: str = ""
    last: object = None

    def add(
        self,
        kind: str,
        settings: Mapping[str, Any] | None = None,
        *,
        tag: str = "",
        inputs: tuple[str, ...] = (),
        shape: Shape | None = None,
    ) -> str:
        """Add a node and return its name.

        Args:
            kind: its name in the table of kinds.
            settings: its settings.
            tag: what is put behind the layer's name.
            inputs: names of the nodes that it takes; by default the last one.
            shape: shape of what it takes, if that is not what the last node makes.
        """
        name = f"{self.layer}_{tag}" if tag else self.layer
        converted = settings_of(kind, settings or {}, name=name, origin=self.origin)
        taken = inputs or (self.end,)
        node = Node(name, kind, converted, taken)
        self.shape = infer_node(node, (shape or self.shape,) * len(taken))
        self.nodes.append(node)
        self.end = name
        return name

    def flatten(self) -> None:
        """Make a row of the values as the program has them: channel by channel."""
        if len(self.shape) == 1:
            return
        *sides, channels = self.shape
        if channels != 1 and sides != [1, 1]:
            self.add("Permute", {"dims": [3, 1, 2]}, tag="channels_first")
        self.add("Flatten", tag="flat")
