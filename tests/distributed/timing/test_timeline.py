"""The thread that Horovod lets spin is found among others, and gets what they leave."""

from __future__ import annotations

import hashlib
import os
import threading
import time

import pytest

from ddl.distributed.timing.timeline import calm_writer, has_timeline, prepare_timeline


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has this policy")
def test_the_thread_that_never_sleeps_gets_what_is_left() -> None:
    ids: dict[str, int] = {}

    def spin() -> None:
        ids["busy"] = threading.get_native_id()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 3_000_000)  # half a second or more, without Python

    def rest() -> None:
        ids["resting"] = threading.get_native_id()
        for _ in range(100):
            time.sleep(0.01)

    threads = [threading.Thread(target=work) for work in (spin, rest)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    calm_writer()
    policies = {name: os.sched_getscheduler(number) for name, number in ids.items()}
    assert policies == {"busy": os.SCHED_IDLE, "resting": os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    for thread in threads:
        thread.join()


def test_one_rank_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOROVOD_TIMELINE", raising=False)
    prepare_timeline()
    assert os.environ["HOROVOD_TIMELINE"] == "DYNAMIC"
    assert not has_timeline()
