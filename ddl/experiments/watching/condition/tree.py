"""The tree of a rule: what `rule_text.parse_rule` makes and `evaluation` computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Union

EPOCHS, STEPS, SECONDS = "epochs", "steps", "s"

LARGE, SMALL = "large", "small"


@dataclass(frozen=True)
class Constant:
    """A number. Seconds where it had a unit of time, a fraction where it had a percent sign."""

    value: float


@dataclass(frozen=True)
class Variable:
    """The value of a variable in the row at hand."""

    name: str


@dataclass(frozen=True)
class Statistic:
    """A number from all rows so far of one variable.

    Attributes:
        kind: best, worst, last, mean, median, slope, max, min or finite.
        name: the variable.
        rows: how many of its last values count; None: all.
        wants: for best and worst, which values are good: LARGE or SMALL.
    """

    kind: str
    name: str
    rows: int | None = None
    wants: str = ""


@dataclass(frozen=True)
class OfGroup:
    """A number from the last values of a variable in the other experiments of the group.

    Attributes:
        kind: mean, median, max or min.
        name: the variable.
    """

    kind: str
    name: str


@dataclass(frozen=True)
class Arithmetic:
    """One operation: + - * / of two numbers; `neg` and `abs` of the left one alone."""

    operator: str
    left: Node
    right: Node | None = None


@dataclass(frozen=True)
class Comparison:
    """Whether two numbers stand in a relation: < <= > >= == !=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logic:
    """`and`, `or` of two conditions, `not` of the left one alone."""

    operator: str
    left: Node
    right: Node | None = None


@dataclass(frozen=True)
class Span:
    """An amount of epochs, steps or seconds."""

    amount: float
    unit: str


@dataclass(frozen=True)
class NoProgress:
    """Whether the program has written nothing new for some seconds."""

    span: Span


@dataclass(frozen=True)
class NoBest:
    """Whether a variable had no new best value for some epochs, steps or seconds."""

    name: str
    wants: str
    span: Span


Node = Union[
    Constant, Variable, Statistic, OfGroup, Arithmetic, Comparison, Logic, NoProgress, NoBest
]


@dataclass(frozen=True)
class Rule:
    """A rule that was read: when its condition holds, `after` and `for` a while, its actions are due.

    Attributes:
        name: its name in the spec.
        text: as the user wrote it.
        condition: the tree of its condition.
        after: what must have passed before its condition is looked at; None: nothing.
        lasting: for how long its condition must have held; None: one row is enough.
        actions: warn, mail, stop, kill, pause, or "command NAME", each once.
    """

    name: str
    text: str
    condition: Node
    after: Span | None
    lasting: Span | None
    actions: tuple[str, ...]


def nodes_of(node: Node) -> Iterator[Node]:
    """Return a node and all below it."""
    yield node
    if isinstance(node, (Arithmetic, Comparison, Logic)):
        yield from nodes_of(node.left)
        if node.right is not None:
            yield from nodes_of(node.right)


def is_condition(node: Node) -> bool:
    """Return whether a node is true or false, and not a number."""
    if isinstance(node, Statistic):
        return node.kind == "finite"
    return isinstance(node, (Comparison, Logic, NoProgress, NoBest))


def variables_of(rule: Rule) -> tuple[str, ...]:
    """Return the variables that a rule names, in order, each once."""
    found = [
        node.name
        for node in nodes_of(rule.condition)
        if isinstance(node, (Variable, Statistic, OfGroup, NoBest))
    ]
    return tuple(dict.fromkeys(found))


def uses_clock(rule: Rule) -> bool:
    """Return whether the rule can become true without a new row."""
    spans = [rule.after, rule.lasting]
    for node in nodes_of(rule.condition):
        if isinstance(node, (NoProgress, NoBest)):
            spans.append(node.span)
        elif isinstance(node, OfGroup):
            return True
    return any(span is not None and span.unit == SECONDS for span in spans)
