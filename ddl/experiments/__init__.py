"""Experiments: specs, a store of files, attempts on any machine, watching, mail. Imports no TensorFlow.

    from ddl.experiments import Store

    store = Store("experiments/cells")
    for experiment in store.find("state=failed"):
        print(experiment.name, experiment.why)

`docs/experiments.md` shows the way from a spec to a mail; `docs/decisions/0014-files-are-the-queue.md` says why files.
"""

from __future__ import annotations

__all__ = ["Store"]


def __getattr__(name):  # type: ignore[no-untyped-def]
    """Load the Python interface when it is used: the agent on a node has neither it nor what it needs."""
    if name in __all__:
        from importlib import import_module

        return getattr(import_module("ddl.experiments.api"), name)
    raise AttributeError(name)
