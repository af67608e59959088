"""A spec as it was read: blocks of settings, of which each makes experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.experiments.spec.command.commands import Command
from ddl.experiments.spec.node import Nodes
from ddl.experiments.spec.parameter.settings import Parameters
from ddl.experiments.spec.records import FROZEN, Needs, Rule, Variable
from ddl.experiments.spec.text.item import Place

RANDOM = "random"
OPTUNA = "optuna"


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for the best parameters.

    Attributes:
        n: Number of trials.
        largest: Whether the goal is the largest value, else the smallest.
        goal: The variable.
        by: "random", or "optuna", which learns from the trials that have ended.
        rule: Rule that ends a trial early, "" for none.
    """

    n: int
    largest: bool
    goal: str
    by: str = RANDOM
    rule: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        goal = f"{'max' if self.largest else 'min'} {self.goal}"
        return {"n": self.n, "goal": goal, "by": self.by}


@dataclass(frozen=True, kw_only=True)
class Stop:
    """How a command is asked to end.

    Attributes:
        signal: Name of the signal.
        grace_s: Seconds from that signal to TERM.
    """

    signal: str = "TERM"
    grace_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Block:
    """Settings of some experiments: the whole spec, or one of those below `experiments`.

    Attributes:
        name: Its name, "" for a spec without several.
        place: Where it begins.
        command: The command's template.
        command_place: Where that stands.
        folder: The folder that commands run in.
        folder_text: That folder as the spec names it.
        priorities: Which experiments -> priority; the first that fits counts.
    """

    name: str
    place: Place
    command: Command
    command_place: Place
    folder: Path
    folder_text: str = "."
    author: str = ""
    subject: str = ""
    group: str = ""
    code: str = FROZEN
    env: Mapping[str, str] = field(default_factory=dict)
    ranks: int | None = None
    parameters: Parameters = field(default_factory=Parameters)
    seed: int = 0
    needs: Needs = field(default_factory=Needs)
    retries: int = 0
    priorities: tuple[tuple[str, int, Place], ...] = ()
    node: str = ""
    node_place: Place | None = None
    variables: tuple[Variable, ...] = (Variable(),)
    watch: tuple[Rule, ...] = ()
    mail: Mapping[str, Any] | None = None
    notify: Mapping[str, Any] | None = None
    files: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    stop: Stop = Stop()
    profile: bool = False
    search: Search | None = None


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a user wrote down.

    Attributes:
        name: Its name: that of its store.
        path: The file that it was read from.
        blocks: Its blocks.
        nodes: The nodes that its experiments may name.
    """

    name: str
    path: Path
    blocks: tuple[Block, ...]
    nodes: Nodes

    @property
    def store(self) -> Path:
        """The store that it has unless another is given: experiments/NAME beside it."""
        return self.path.absolute().parent / "experiments" / self.name
