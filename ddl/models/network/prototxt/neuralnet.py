"""A prototxt file of dolphin-dnn or Cay -> its network and how it is to be trained. No TensorFlow.

net = read_neuralnet(Path("net.prototxt").read_text(), "net.prototxt")
net.batch_size, net.step_size, net.input_shape, net.network
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ddl.models.network.nodes import Network
from ddl.models.network.prototxt.layers import make_layers
from ddl.models.network.prototxt.records import Checker, Record, find_dialect
from ddl.models.network.prototxt.schema import PROVIDER_ALIASES
from ddl.models.network.prototxt.tree import BadPrototxt, read_tree

Provider = Literal["local", "groupcomm", "parameterserver"]
_FIRST_FIELD = re.compile(r"\ufeff?(?:\s++|#[^\r\n]*+)*+[A-Za-z_]\w*\s*[:{<]")


@dataclass(frozen=True)
class NeuralNet:
    """What a file says.

    Attributes:
        batch_size: training samples for each update, of one worker.
        step_size: learning rate of plain SGD.
        provider: who applies updates; None where the file does not say it, as in dialect D.
        random_seed: seed of the whole network, in dialect D; None for none.
        input_shape: shape of a sample as in the file, channels first: (C, H, W), (H, W) or (N,).
        dialect: "A" to "D".
        notes: lines about what is not as the file says it.
        network: its layers, which take channels last: (H, W, C), (H, W, 1) or (N,).
        loss: name of the loss of `ddl` that the last layer has.
        loss_option: its options.
    """

    batch_size: int
    step_size: float
    provider: Provider | None
    random_seed: int | None
    input_shape: tuple[int, ...]
    dialect: str
    notes: tuple[str, ...]
    network: Network
    loss: str
    loss_option: Mapping[str, Any] = field(default_factory=dict)


def looks_like_prototxt(text: str) -> bool:
    """Return whether a text begins with a field of protobuf's text format, which JSON never does."""
    return _FIRST_FIELD.match(text) is not None


def read_neuralnet(text: str, origin: str) -> NeuralNet:
    """Return what a prototxt says.

    Args:
        text: the whole file.
        origin: its name, for messages.

    Raises:
        BadPrototxt: a ValueError with a line for each problem, with file, line and column.
    """
    root = read_tree(text, origin)
    checker = Checker(find_dialect(root))
    record = checker.record(root)
    layers = make_layers(record, origin, checker)
    if layers is None or checker.problems:
        raise BadPrototxt(checker.problems)
    notes = (*_notes(record, checker), *layers.notes)
    seed = record.values.get("random_seed")
    shape = record["input_shape"]["dim"]
    return NeuralNet(
        batch_size=record["batch_size"],
        step_size=record["step_size" if checker.dialect == "D" else "stepsize"],
        provider=_provider(record),
        random_seed=seed,
        input_shape=shape,
        dialect=checker.dialect,
        notes=notes,
        network=replace(layers.network, notes=notes),
        loss="crossentropy",
        loss_option={"outputs": layers.outputs},
    )


def network_of(net: NeuralNet) -> Network:
    """Return the network of a file whose other settings its reader does not take, and say so in its notes."""
    left = f"batch_size {net.batch_size}, step size {net.step_size:g}"
    left += f", parameter_provider {net.provider}" if net.provider else ""
    left += f", random_seed {net.random_seed}" if net.random_seed is not None else ""
    note = f"The network takes the layers alone; flags give the rest, as run_neuralnet.py does by itself: {left}."
    options = " ".join(f"{name}={value}" for name, value in net.loss_option.items())
    loss = f"Its loss is --loss {net.loss} --loss-option {options}."
    return replace(net.network, notes=(*net.network.notes, note, loss))


def _provider(record: Record) -> Provider | None:
    provider = record["parameter_provider"]
    name = provider and provider["type"]
    found: Provider | None = PROVIDER_ALIASES.get(name, name)
    return found


def _notes(record: Record, checker: Checker) -> list[str]:
    notes = [f"Read as dialect {checker.dialect}."]
    place = checker.tolerated.get("parameter_provider")
    if place is not None:
        notes.append(
            f"parameter_provider in line {place.line} is taken, although programs of dialect D refuse it."
        )
    mode = record.values.get("device_mode")
    if mode is not None:
        notes.append(
            f"device_mode {mode} has no effect: TensorFlow computes on the GPUs that it sees, else on the CPU."
        )
    return notes
