"""The table of all flags of dolphin-dnn and Cay: each has a meaning here, or a line that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Flag:
    """A flag of theirs, which begins with one dash.

    Attributes:
        name: its name.
        kind: "text", "int" or "bool".
        default: its value where it is not given; None for none.
        to: what it becomes here; "" for nothing.
        idle: why it has no effect here; "" where it has one.
        least: the smallest number that it takes.
        of: the program that has it.
    """

    name: str
    kind: str
    default: Any = None
    to: str = ""
    idle: str = ""
    least: int = 0
    of: str = "dolphin-dnn"

    def __post_init__(self) -> None:
        if bool(self.to) == bool(self.idle):
            raise ValueError(f"Received: flag {self.name}. Expected: one of to and idle.")


_CAY = "Cay"

FLAGS: Mapping[str, Flag] = {
    flag.name: flag
    for flag in (
        Flag("conf", "text", to="the prototxt file: network, batch size, step size and mode"),
        Flag("input", "text", to="`--data`, rows of text"),
        Flag(
            "local",
            "bool",
            False,
            to="true starts `-split` ranks or workers on this machine; false takes a launcher's ranks, or with "
            "`--ray-address` a Ray cluster",
        ),
        Flag("maxIter", "int", 20, to="`--epochs`: an iteration is a pass over the data", least=1),
        Flag("delim", "text", ",", to="`--data-option delimiter=`"),
        Flag("timeout", "int", 100_000, to="`--time-limit-min`, given in milliseconds", least=1),
        Flag(
            "split", "int", 1, to="number of ranks, or of workers with a parameter server", least=1
        ),
        Flag(
            "logPeriod",
            "int",
            0,
            idle="a block is logged for each iteration; `--log-every-s` sets the lines in between",
        ),
        Flag("evalSize", "int", 128, idle="the memory of a container, of which there is none"),
        Flag("blas", "text", "jblas", idle="TensorFlow has its own"),
        Flag("max_num_epochs", "int", 20, to="`--epochs`, as `-maxIter`", least=1, of=_CAY),
        Flag(
            "mini_batch_size",
            "int",
            to="`--per-rank-batch-size`, which must be the `batch_size` of the file",
            least=1,
            of=_CAY,
        ),
        Flag(
            "staleness_bound",
            "int",
            -1,
            to="`--max-staleness`, in updates; -1: its default, twice the number of workers",
            least=-1,
            of=_CAY,
        ),
        Flag(
            "dynamic",
            "bool",
            False,
            idle="workers may always come and go in asynchronous training",
            of=_CAY,
        ),
        Flag(
            "num_worker_threads",
            "int",
            1,
            idle="ranks share the cores; the variable OMP_NUM_THREADS sets the threads of each",
            least=1,
            of=_CAY,
        ),
    )
}
"""Name -> flag."""


def table_of_flags() -> str:
    """Return a Markdown table of all flags."""
    lines = ["| Flag | Default | Here |", "|---|---|---|"]
    for flag in FLAGS.values():
        default = "" if flag.default is None else f"`{text_of(flag.default)}`"
        name = f"`-{flag.name}`" + ("" if flag.of != _CAY else " (Cay)")
        lines.append(f"| {name} | {default} | {flag.to or f'without effect: {flag.idle}'} |")
    return "\n".join(lines) + "\n"


def text_of(value: Any) -> str:
    """Return a value as a command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
