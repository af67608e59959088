"""The order in which a rank computes its micro-batches: one forward, one backward. No TensorFlow here."""

from __future__ import annotations

FORWARD, BACKWARD = "forward", "backward"


def one_forward_one_backward(part: int, parts: int, micro_batches: int) -> list[tuple[str, int]]:
    """Return what a part computes, in order, as (FORWARD or BACKWARD, number of the micro-batch).

    A part takes as many micro-batches forward as there are parts after it, so that all have work. From then on it takes
    each one backward before the next one forward. So at most `parts - part` of them wait for their gradients.
    """
    ahead = min(parts - 1 - part, micro_batches)
    order = [(FORWARD, number) for number in range(ahead)]
    for number in range(ahead, micro_batches):
        order += [(FORWARD, number), (BACKWARD, number - ahead)]
    order += [(BACKWARD, number) for number in range(micro_batches - ahead, micro_batches)]
    return order


def in_flight(part: int, parts: int, micro_batches: int) -> int:
    """Return how many micro-batches wait for their gradients at once, at most."""
    return max(1, min(parts - part, micro_batches))
