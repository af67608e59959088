"""`submit [SPEC|WHICH]`: hand experiments over to their machines."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path

from ddl.experiments.engine import wishes
from ddl.experiments.engine.nodes_file import nodes_of
from ddl.experiments.spec.text.item import SpecError
from ddl.experiments.store.store import open_store
from ddl.experiments.verbs.add import add_spec, lines_of
from ddl.experiments.verbs.of_engine import ask, carry_out
from ddl.experiments.verbs.of_spec import tell_problems
from ddl.experiments.verbs.of_store import OfStore, find, is_spec, say
from ddl.flags import ARGUMENT
from ddl.plain_text import escaped


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Hand experiments over to their machines, and return: they run whether or not this machine stays on.

    A spec's file is added first, as `add` does. WHICH are names, numbers, globs or conditions such as lr=0.001; without
    any, all that were not submitted before. What a node's queue has no room for goes with a later `sync` or `manage`.

    Attributes:
        which: a spec's file, or which experiments
        node: node or group for their next attempts, in place of the spec's
        priority: priority, in place of the spec's; higher ones start first
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    node: str | None = None
    priority: int | None = None


def run(settings: Settings) -> int:
    """Add where a spec is given, then submit."""
    words = settings.which
    if words and is_spec(words[0]):
        try:
            store, added = add_spec(Path(words[0]), settings.store)
        except SpecError as error:
            return tell_problems("submit", error)
        if not settings.json:
            say([escaped(line) for line in lines_of(store, added)])
        settings = replace(settings, store=store.path, which=words[1:])
    _check_node(settings)
    wish = functools.partial(wishes.submit, node=settings.node, priority=settings.priority)
    return carry_out(settings, ask(settings, settings.which, wish))


def _check_node(settings: Settings) -> None:
    if settings.node is None:
        return
    store, _ = find(settings, settings.which)
    nodes, _ = nodes_of(open_store(store.path))
    if not nodes.of(settings.node):
        known = ", ".join([*nodes.nodes, *nodes.groups])
        raise ValueError(f"Received: node={settings.node}. Expected one of: {known}.")
