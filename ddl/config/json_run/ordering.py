"""From settings to a plan with a run directory of its own, and to its opened data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.config.json_run.checking.named_files import missing_data
from ddl.config.json_run.checking.own_fields import SAID_ELSEWHERE
from ddl.config.json_run.checking.settings import Settings
from ddl.config.json_run.place import Problem
from ddl.config.json_run.reading import BadConfig
from ddl.config.json_run.translation.draft import Draft, NetworkForm
from ddl.config.json_run.translation.run import network_options, translate
from ddl.models.network.file import Summary, summarize
from ddl.training.checked_plan import Order, check_plan
from ddl.training.data.plan_order import BatchTooLarge
from ddl.training.objectives.losses import LOSSES
from ddl.training.objectives.sources import AUTO, Settled, settle_source
from ddl.training.plan.plan import Plan
from ddl.training.record.run_dir import holds_run

_FIELD = re.compile(r"\b([a-z_]+)=")
_WORD = re.compile(r"[a-z_]{5,}")
"""Names of keys in a message. Shorter ones are words, such as type."""
_SAMPLE = re.compile(r"\b(?:samples?|pictures?|masks?|targets?|inputs?)\b")


@dataclass
class Ordered:
    """A config as a plan.

    Attributes:
        settings: the values of the config.
        plan: the plan that it stands for.
        network: what its network is; None for a GAN, which has two, and for a detector.
        base: the run directory that was asked for, of which the next free one is taken.
        notes: a line on each key without effect.
    """

    settings: Settings
    plan: Plan
    network: Summary | None
    base: Path
    notes: list[str]

    def check(self) -> Order:
        """Return the checked plan and its opened data. Reads, and writes nothing.

        A batch that is larger than the training data becomes all of them, as a short last batch would be.
        """
        try:
            return self._check()
        except BatchTooLarge as error:
            if self.settings.trains:
                path = "data.batch_size"
                text = f"{self.settings[path]}, but there are {error.count} training samples. A step takes all of them."
                self.notes.append(str(self.settings.problem(path, text)))
            self.plan = dataclasses.replace(self.plan, global_batch_size=error.count)
        return self._check()

    def _check(self) -> Order:
        try:
            return check_plan(self.plan)
        except BatchTooLarge:
            raise
        except ValueError as error:
            raise named_in_config(error, self.settings) from error


def order_run(
    settings: Settings, config: str, run_dir: Path | None = None, resume: str | None = None
) -> Ordered:
    """Return the plan of a config.

    Args:
        settings: its values.
        config: its path, whose name the run directory has.
        run_dir: the run directory that the command asks for.
        resume: the value of --resume.

    Raises:
        BadConfig: values that contradict each other, or the network.
    """
    network = read_summary(settings) if settings.has_layers else None
    draft = _draft(settings, network)
    if draft.problems:
        draft.problems += missing_data(settings, {problem.path for problem in draft.problems})
        raise BadConfig([str(problem) for problem in draft.problems])
    base = draft.fields.pop("run_dir", Path(f"{Path(config).stem}.run"))
    base = base if run_dir is None else run_dir
    if run_dir is None:
        run_dir = newest_run_dir(base) if resume else free_run_dir(base)
    try:
        plan = plan_of({**draft.fields, "run_dir": run_dir, "resume": resume})
    except ValueError as error:
        raise named_in_config(error, settings) from error
    return Ordered(settings, plan, network, base, [str(note) for note in draft.notes])


def _draft(settings: Settings, network: Summary | None) -> Draft:
    """Return the fields of the plan, with the problems of the network together with them."""
    if network is None:
        return translate(settings)
    draft = translate(settings, NetworkForm(network.input_shape, network.output_shape))
    try:
        settled_end(draft.fields, network)
    except ValueError as error:
        text = str(error)
        if settings.has("loss.source"):  # flags have more names for it
            received = text.partition(" Expected:")[0]
            text = f"{received} Expected: what it ends in; or no source, by which it is read off the network."
        draft.problems.append(settings.problem("loss.source", text))
    draft.problems += _unsteady(settings, network)
    return draft


def _unsteady(settings: Settings, network: Summary) -> Iterator[Problem]:
    """Yield a problem where Hessian would meet a layer whose statistics or draws change between two evaluations."""
    if settings["optimizer.type"] != "Hessian" or not settings.trains:
        return
    for node in (layer.node for layer in network.layers):
        draws = "Dropout" in node.kind or "Noise" in node.kind
        if draws or (node.kind == "BatchNormalization" and node.trains):
            yield settings.problem(
                "optimizer.type",
                f"Hessian for a network with layer {node.name} ({node.kind}), whose statistics or draws change from "
                "one evaluation to the next. Expected: no dropout, no trained batch normalization; or another type.",
            )
            return


def plan_of(fields: Mapping[str, Any]) -> Plan:
    """Return the plan with these fields."""
    known = {field.name for field in dataclasses.fields(Plan)}
    missing = [name for name in fields if name not in known]
    if missing:
        raise ValueError(f"Received: {', '.join(missing)}. Expected: fields of this version.")
    return Plan(**fields)


def read_summary(settings: Settings) -> Summary:
    """Return what the network is.

    Raises:
        BadConfig: it cannot be built.
    """
    try:
        return summarize(network_options(settings))
    except ValueError as error:
        problems = [settings.problem("layers", str(error)), *missing_data(settings)]
        raise BadConfig([str(problem) for problem in problems]) from error


def settled_end(fields: Mapping[str, Any], network: Summary) -> Settled:
    """Return what the loss of a plan's fields takes the network's output for.

    Raises:
        ValueError: the loss contradicts what the network ends in.
    """
    loss, options = fields["loss"], fields.get("loss_option", {})
    given = options.get("source", AUTO) if "source" in LOSSES.options(loss) else None
    return settle_source(loss, given, network.last_activation, network.classes, "its last layer")


def named_in_config(error: ValueError, settings: Settings) -> ValueError:
    """Return an error with the place of the key that it is about: of the first field, file or key that it names."""
    if isinstance(error, BadConfig):
        return error
    text = str(error)
    received = text.partition("Expected:")[0]
    if "--resume" in received or ("run_dir=" in received and "ddl.run_dir" not in settings.places):
        return error  # of the command, not of the config
    for name in _FIELD.findall(received):
        path = SAID_ELSEWHERE.get(name, f"ddl.{name}")
        if path in settings.places:
            return _with_missing(Problem(settings.places[path], path, text), settings)
    key = _path_in(received, settings) or _key_in(received, settings)
    if key is not None:
        return _with_missing(settings.problem(key, text), settings)
    return _with_missing(Problem(settings.source, "", text), settings)


def _with_missing(problem: Problem, settings: Settings) -> BadConfig:
    """Return the error about a problem and about data that are not there, the same data once."""
    others = [
        other
        for other in missing_data(settings, {problem.path})
        if settings.given[other.path] not in problem.text
    ]
    return BadConfig([str(problem), *map(str, others)])


def _path_in(text: str, settings: Settings) -> str | None:
    """Return the key whose value, a file or folder, stands in a text; the first one of the longest values."""
    named: dict[str, str] = {}
    for key, value in settings.given.items():
        if isinstance(value, str) and re.search(rf"(?<!\w){re.escape(_plain_path(value))}\b", text):
            named.setdefault(_plain_path(value), key)
    return named[max(named, key=len)] if named else None


def _plain_path(value: str) -> str:
    """Return a path as messages write it: "m/" and "./m" are "m"."""
    return str(Path(value))


def _key_in(text: str, settings: Settings) -> str | None:
    """Return the key whose own name stands in a text: "data.transforms.1.center_crop" for "center_crop=64x64".

    A text about a sample that names no key is about the data.
    """
    words = set(_WORD.findall(text))
    named = [key for key in settings.places if key.rpartition(".")[2] in words]
    if not named:
        return "data" if _SAMPLE.search(text) else None
    return max(named, key=lambda key: len(key.rpartition(".")[2]))


def free_run_dir(base: Path) -> Path:
    """Return the first of x.run, x-2.run, x-3.run, ... that is not there, or is an empty folder."""
    return next(path for path in _numbered(base) if _is_free(path))


def newest_run_dir(base: Path) -> Path:
    """Return the last of x.run, x-2.run, x-3.run, ... that holds a run; x.run without any."""
    last = base
    for path in _numbered(base):
        if _is_free(path):
            return last
        if holds_run(path):
            last = path
    raise AssertionError  # the names never end


def _is_free(path: Path) -> bool:
    if path.is_symlink() or path.is_file():
        return False
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def _numbered(base: Path) -> Iterator[Path]:
    yield base
    number = 2
    while True:
        yield base.with_name(f"{base.stem}-{number}{base.suffix}")
        number += 1
