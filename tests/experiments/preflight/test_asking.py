"""Asking nodes at once: the slow and the broken ones hold up no other."""

from __future__ import annotations

import threading
import time

from ddl.experiments.backends.backend import Backend
from ddl.experiments.preflight.asking import ask_each
from ddl.experiments.problem import Unreachable
from ddl.experiments.spec.node import Node

NODES = tuple(Node(name=name) for name in ("slow", "broken", "quick"))


def test_a_node_that_does_not_answer_is_left_and_the_others_are_told_at_once():
    never = threading.Event()

    def work(backend: Backend) -> str:
        if backend.node.name == "slow":
            never.wait(20)
        if backend.node.name == "broken":
            raise Unreachable("connection refused")
        return "fine"

    start = time.monotonic()
    answers = {}
    quick_s = 0.0
    for answer in ask_each(NODES, work, limit_s=0.7):
        answers[answer.node.name] = answer
        if answer.node.name == "quick":
            quick_s = time.monotonic() - start
    never.set()
    assert quick_s < 0.5
    assert time.monotonic() - start < 5
    assert answers["quick"].value == "fine"
    assert answers["broken"].problem == "connection refused"
    assert answers["slow"].problem == "no answer within 0.7 s"


def test_a_node_whose_destination_may_not_be_used_is_told():
    node = Node(name="bad", type="ssh", ssh="-oProxyCommand=x")
    (answer,) = ask_each((node,), lambda backend: 1)
    assert "Received: ssh:" in answer.problem
