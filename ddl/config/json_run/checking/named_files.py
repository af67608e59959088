"""What a config names and cannot be used: missing data, a network that cannot be built. Told beside other problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.place import Problem
from ddl.config.json_run.translation.run import network_options
from ddl.models.network.file import summarize

_DATA = tuple(
    f"data.{name}" for name in ("input_path", "target_path", "test_input_path", "test_target_path")
)


def missing_data(settings: Settings, told: Collection[str] = ()) -> Iterator[Problem]:
    """Yield a problem for each file or folder of data that is not there, but for keys that are `told` already."""
    for path in _DATA:
        value = settings.given.get(path)
        if path in told or not isinstance(value, str) or _is_there(value):
            continue
        if "target" in path and not settings.has_target_files:
            continue  # a key without effect
        yield settings.problem(
            path, f"Received: {value}, which does not exist. Expected: a file or folder."
        )


def bad_network(settings: Settings, told: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the network, unless something at its keys is `told` already."""
    if not settings.has_layers or any(path.partition(".")[0] == "layers" for path in told):
        return
    options = network_options(settings)
    if not options:
        return
    try:
        summarize(options)
    except ValueError as error:
        yield settings.problem("layers", str(error))


def _is_there(value: str) -> bool:
    try:
        return Path(value).exists()
    except OSError:  # such as a name that is too long: opening it says what is wrong
        return True
