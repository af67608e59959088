"""Asks several nodes at once: one that does not answer holds up no other, and is told in a line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ddl.experiments.backends.backend import Backend, open_backend
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node

LIMIT_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a node answered.

    Attributes:
        node: The node.
        value: The answer, None without one.
        problem: What went wrong, in one line; "" where it answered.
    """

    node: Node
    value: T | None
    problem: str = ""


def ask_each(
    nodes: Sequence[Node], work: Callable[[Backend], T], limit_s: float = LIMIT_S
) -> Iterator[Answer[T]]:
    """Yield the answer of each node as it comes.

    Args:
        nodes: The nodes.
        work: Asks one node; runs in a thread of its own.
        limit_s: A node that has not answered by then is left.
    """
    answers: SimpleQueue[Answer[T]] = SimpleQueue()
    left = {node.name: node for node in nodes}
    for node in nodes:
        thread = threading.Thread(target=_ask, args=(node, work, answers), daemon=True)
        thread.start()
    deadline = time.monotonic() + limit_s
    while left:
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            for node in left.values():
                yield Answer(node, None, f"no answer within {limit_s:g} s")
            return
        del left[answer.node.name]
        yield answer


def _ask(node: Node, work: Callable[[Backend], T], answers: SimpleQueue[Answer[T]]) -> None:
    try:
        answers.put(Answer(node, work(open_backend(node))))
    except (Unreachable, ValueError, OSError) as error:
        answers.put(Answer(node, None, str(error)))
    except BaseException as error:
        answers.put(Answer(node, None, f"{type(error).__name__}: {error}"))
        raise
