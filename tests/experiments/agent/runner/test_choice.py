"""Which attempt starts next."""

from __future__ import annotations

from ddl.experiments.agent.runner.choice import Free, Waiting, next_start

HAS = Free(slots=4, cores=8, memory_bytes=16, gpus=("0", "1"))


def test_the_higher_priority_comes_first_then_who_waits_longest():
    waiting = [Waiting("a", 0, 1.0), Waiting("b", 5, 3.0), Waiting("c", 5, 2.0)]
    assert next_start(waiting, [], HAS) == ("c", (), False)


def test_nothing_starts_without_a_slot():
    running = [Waiting(str(number)) for number in range(4)]
    assert next_start([Waiting("a")], running, HAS) is None


def test_gpus_are_given_out_once():
    running = [Waiting("r", gpus=1, given=("0",))]
    assert next_start([Waiting("a", gpus=1)], running, HAS) == ("a", ("1",), True)


def test_who_says_no_gpus_sees_none_and_who_says_nothing_sees_all():
    assert next_start([Waiting("a", gpus=0)], [], HAS) == ("a", (), True)
    assert next_start([Waiting("a", gpus=None)], [], HAS) == ("a", (), False)


def test_who_waits_for_gpus_is_not_overtaken_for_them_but_others_run():
    running = [Waiting("r", gpus=1, given=("0",))]
    waiting = [Waiting("two", 9, gpus=2), Waiting("one", 5, gpus=1), Waiting("none", 1)]
    assert next_start(waiting, running, HAS) == ("none", (), False)


def test_what_can_never_be_given_starts_and_is_refused_there():
    assert next_start([Waiting("a", gpus=3)], [], HAS) == ("a", (), False)
    assert next_start([Waiting("a", cores=99)], [], HAS) == ("a", (), False)
    assert next_start([Waiting("a", memory_bytes=99)], [], HAS) == ("a", (), False)


def test_cores_and_memory_are_waited_for():
    running = [Waiting("r", cores=6)]
    assert next_start([Waiting("a", cores=3)], running, HAS) is None
    assert next_start([Waiting("a", memory_bytes=17)], running, HAS) is None
    assert next_start([Waiting("a", cores=2, memory_bytes=16)], running, HAS) == ("a", (), False)


def test_an_empty_queue_starts_nothing():
    assert next_start([], [], HAS) is None
