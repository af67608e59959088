"""What other rooms do with a store: make, open, find it, add experiments, say what is wanted of one."""

from __future__ import annotations

from ddl.experiments.store.adding import Added, add
from ddl.experiments.store.folder import (
    StoreFolder,
    create_store,
    find_store,
    open_store,
    store_for,
)
from ddl.experiments.store.wanted import read_wanted, set_wanted

__all__ = [
    "Added",
    "StoreFolder",
    "add",
    "create_store",
    "find_store",
    "open_store",
    "read_wanted",
    "set_wanted",
    "store_for",
]
