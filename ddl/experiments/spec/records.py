"""What an experiment is: the records behind experiment.json. Those of nodes.yaml stand in `node.py`.

    record = Experiment.from_json(json.loads(folder.experiment.read_text()))
    record.needs.memory_bytes, record.run.argv, record.parameters["learning_rate"]

Every class is frozen. `to_json` gives plain JSON values; `from_json` takes them back and passes over keys that it
does not know, so that an older version reads what a newer one wrote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1

FROZEN = "frozen"
LIVE = "live"
CODE_POLICIES = (FROZEN, LIVE)

STOP_SIGNALS = ("USR1", "TERM", "INT", "USR2", "HUP")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one attempt needs of a machine; None: not said.

    Attributes:
        time_s: Seconds that one attempt may take; a longer training resumes in the next one.
        memory_bytes: Main memory, of all its processes together.
        gpus: Number of GPUs.
        disk_bytes: Free space in the store's file system on the node.
        cores: Number of cores.
    """

    time_s: float | None = None
    memory_bytes: int | None = None
    gpus: int | None = None
    disk_bytes: int | None = None
    cores: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Needs:
        """Return the record that `to_json` gave."""
        return cls(**known_fields(cls, value))


@dataclass(frozen=True, kw_only=True)
class Variable:
    """Where values of variables are read from while the command runs.

    Attributes:
        source: "auto" (run/history.jsonl, else stdout), "stdout", "stderr", or a file's path below the folder
            where the command runs or the run directory: JSON lines or CSV, by its ending. `from` in JSON.
        pattern: For text: a line such as "{name} {value}" or "epoch {epoch}: loss {loss}".
        columns: Names to keep; empty: all.
    """

    source: str = "auto"
    pattern: str | None = None
    columns: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"from": self.source, "pattern": self.pattern, "columns": list(self.columns)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Variable:
        """Return the record that `to_json` gave."""
        return cls(
            source=value.get("from", "auto"),
            pattern=value.get("pattern"),
            columns=tuple(value.get("columns") or ()),
        )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A watch rule as the user wrote it.

    Attributes:
        name: Its name in the spec.
        text: CONDITION [after ...] [for ...] -> ACTIONS.
    """

    name: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Rule:
        """Return the record that `to_json` gave."""
        return cls(**known_fields(cls, value))


@dataclass(frozen=True, kw_only=True)
class Run:
    """The command of an experiment.

    Words of `argv` may still hold {run_dir} {experiment_dir} {store_dir} {attempt} {agent} {number} {name}, which the
    agent fills in on the node; {{ and }} are braces. All parameters are filled in already.

    Attributes:
        argv: Words of the command; with `shell` one text for `sh -c`, whose values are quoted already.
        shell: Whether a shell runs it.
        folder: Absolute folder that the command runs in: the frozen code's, or the user's own.
        env: Environment variables, besides DDL_...
        stop_signal: Signal that asks the command to end: USR1, TERM, INT, ...
        stop_grace_s: Seconds from that signal to TERM.
        ranks: Number of ranks of {ranks}, None where the spec does not say.
        setup: Shell text run before the command (modules, environments), from the node.
        own: Name of ddl's own script that the command runs (train_unet.py), "" for a foreign command.
    """

    argv: tuple[str, ...]
    shell: bool = False
    folder: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_grace_s: float = 120.0
    ranks: int | None = None
    setup: str = ""
    own: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**dataclasses.asdict(self), "argv": list(self.argv), "env": dict(self.env)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Run:
        """Return the record that `to_json` gave."""
        known = known_fields(cls, value)
        return cls(**{**known, "argv": tuple(known["argv"]), "env": dict(known.get("env") or {})})


@dataclass(frozen=True, kw_only=True)
class Code:
    """The code that an experiment runs.

    Attributes:
        policy: "frozen": a copy made when it was added; "live": the user's own folder, as it is when it starts.
        commit: Commit of the folder's repository, None without one.
        branch: Branch of that repository, None without one.
        dirty: Whether files differed from that commit.
        patch: Name below the store's code/ of what differed, None if nothing did.
        snapshot: Name below the store's code/ of the frozen copy, None with "live".
        source: The folder of the user that it came from.
    """

    policy: str = FROZEN
    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    patch: str | None = None
    snapshot: str | None = None
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Code:
        """Return the record that `to_json` gave."""
        return cls(**known_fields(cls, value))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment: experiment.json. It never changes once it is in a store.

    Attributes:
        number: Its place in the store, from 1; 0 until it is in one.
        name: Number and label: "003-lr0.001-w32".
        label: What differs from its siblings: "lr0.001-w32".
        id: 16 hex digits of its parameters, command and code policy: the same settings have the same id.
        spec_name: The spec's name.
        block: Its block below `experiments` in the spec, "" without.
        author: Who wants it.
        subject: What it is about, a free text.
        group: Experiments to compare it with; rules' `median(group, x)` are over them.
        added: When it was put into the store, seconds since the epoch.
        parameters: Name -> JSON value.
        run: Its command.
        needs: What it needs of a machine.
        retries: Crashes after which it is tried again.
        priority: Higher ones start first.
        node: Name of a node or of a group.
        variables: Where its values are read from.
        watch: Its watch rules.
        mail: Settings of its mail, None: no mail.
        notify: Settings of other notifications, None: none.
        files: Files and folders that must be on the node, as the spec names them.
        outputs: Patterns of files that `sync` fetches, in the run directory or where the command runs.
        code: Its code.
        profile: Whether it is profiled.
        search: {"trial": n} where a search drew it, else None.
    """

    number: int = 0
    name: str = ""
    label: str = ""
    id: str = ""
    spec_name: str = ""
    block: str = ""
    author: str = ""
    subject: str = ""
    group: str = ""
    added: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    run: Run
    needs: Needs = Needs()
    retries: int = 0
    priority: int = 0
    node: str = "here"
    variables: tuple[Variable, ...] = (Variable(),)
    watch: tuple[Rule, ...] = ()
    mail: Mapping[str, Any] | None = None
    notify: Mapping[str, Any] | None = None
    files: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    code: Code = Code()
    profile: bool = False
    search: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, with the format's number."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {
            "format": FORMAT,
            **values,
            "parameters": dict(self.parameters),
            "run": self.run.to_json(),
            "needs": self.needs.to_json(),
            "variables": [item.to_json() for item in self.variables],
            "watch": [rule.to_json() for rule in self.watch],
            "files": list(self.files),
            "outputs": list(self.outputs),
            "code": self.code.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Experiment:
        """Return the record that `to_json` gave.

        Raises:
            ValueError: It is of a newer format, or something of it is missing.
        """
        if value.get("format", FORMAT) != FORMAT:
            raise ValueError(
                f"Received: an experiment of format {value['format']}. Expected: format {FORMAT}; use a newer ddl."
            )
        try:
            return cls(**_read_parts(known_fields(cls, value)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Received: a damaged record of an experiment ({error}). Expected: what `add` wrote."
            ) from None


def _read_parts(known: dict[str, Any]) -> dict[str, Any]:
    return {
        **known,
        "run": Run.from_json(known["run"]),
        "needs": Needs.from_json(known.get("needs") or {}),
        "variables": tuple(Variable.from_json(item) for item in known.get("variables") or ()),
        "watch": tuple(Rule.from_json(item) for item in known.get("watch") or ()),
        "files": tuple(known.get("files") or ()),
        "outputs": tuple(known.get("outputs") or ()),
        "code": Code.from_json(known.get("code") or {}),
    }


def known_fields(cls: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the items of a mapping that are fields of a dataclass."""
    names = {item.name for item in dataclasses.fields(cls)}
    return {name: item for name, item in value.items() if name in names}
