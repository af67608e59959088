"""Tables of named builders with options: a name and its options -> a loss, metric, optimizer, model, ...

    FORMULAS = "ddl.training.objectives.loss_formulas"
    LOSSES = BuilderTable("loss", {"dice": f"{FORMULAS}:dice"}, ranges={"smooth": Range(1e-6)})

    LOSSES.options("dice")              # name -> type, default and help, read from the builder's source
    LOSSES.parse("dice", ["smooth=2"])  # {"smooth": 2.0}, from a command line
    LOSSES.check("dice", smooth=2)      # {"smooth": 2.0}, from Python or JSON
    LOSSES.build("dice", smooth=2)      # imports the builder's module and calls the builder
    LOSSES.add("mine", my_loss)         # registers your own builder in this process

Only `load` and `build` import the builder's module, so `--help` and validation need no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl import options as opts
from ddl.ranges import Range, check_choices, check_ranges, expected_one_of


@dataclass(frozen=True, eq=False)
class BuilderTable(Collection[str]):
    """Name -> builder, as "package.module:name"; a builder's options are its keyword-only arguments.

    Attributes:
        kind: what an entry is called in messages, such as "loss".
        builders: name -> builder.
        fixed: name -> options implied by the name, such as depth=50 for "resnet50".
        hidden: options that the code calling `build` passes and users cannot set, such as the number of classes.
        flags: hidden option -> the flag that users set in its place, for messages.
        ranges: option -> allowed range; a key such as "focal.alpha" applies to one name only.
        choices: option -> allowed values.
        rule: further checks, called with the given options, all defaults, and a description such as "loss dice".
        read: function that reads a builder's options.
        own: builders registered with `add`, as functions. They validate their own options.
    """

    kind: str
    builders: Mapping[str, str]
    fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    choices: Mapping[str, Iterable[str]] = field(default_factory=dict)
    rule: Callable[[dict[str, Any], dict[str, Any], str], None] | None = None
    read: Callable[[str], Mapping[str, opts.Option]] = opts.read_options
    own: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def add(self, name: str, builder: Callable[..., Any]) -> None:
        """Register your own builder, or replace it. All ranks must call it. Its keyword-only arguments are its options.

        Raises:
            ValueError: a built-in entry has this name.
        """
        if name in self.builders:
            raise ValueError(
                f"Received: {self.kind} {name!r}, which is built in. Expected: another name."
            )
        self.own[name] = builder

    def __contains__(self, name: object) -> bool:
        return name in self.builders or name in self.own

    def __iter__(self) -> Iterator[str]:
        return iter((*self.builders, *self.own))

    def __len__(self) -> int:
        return len(self.builders) + len(self.own)

    def find(self, name: str) -> str:
        """Return the builder of this name. The error for an unknown name lists the known ones."""
        if name not in self:
            raise ValueError(
                f"Unknown {self.kind}. Received: {name!r}. {expected_one_of(name, self)}"
            )
        return self.builders[name]

    def options(self, name: str) -> dict[str, opts.Option]:
        """Return the options that users can set for this name."""
        taken = {*self.hidden, *self.fixed.get(name, ())}
        known = self.own.get(name)
        options = opts.read_signature(known) if known else self.read(self.find(name))
        return {key: option for key, option in options.items() if key not in taken}

    def parse(self, name: str, texts: Iterable[str]) -> dict[str, Any]:
        """Return validated options from texts such as ["width=32"]."""
        owner, texts = f"{self.kind} {name}", list(texts)
        for text in texts:
            self._refuse_flag(text.partition("=")[0].strip().replace("-", "_"), owner)
        return self.check(name, **opts.parse_options(texts, self.options(name), owner))

    def check(self, name: str, /, **options: Any) -> dict[str, Any]:
        """Return the options, converted to their types; refuse unknown options and invalid values."""
        known, owner = self.options(name), f"{self.kind} {name}"
        values = opts.convert_values(options, known, owner)
        if name in self.own:
            return values
        own = {
            key: self.ranges[f"{name}.{key}"] for key in values if f"{name}.{key}" in self.ranges
        }
        check_ranges(values, {**self.ranges, **own}, owner)
        check_choices(values, self.choices)
        if self.rule is not None:
            self.rule(values, {key: known[key].default for key in known}, owner)
        return values

    def _refuse_flag(self, option: str, owner: str) -> None:
        """Refuse an option that is a flag of its own on command lines."""
        if option in self.flags:
            raise ValueError(
                f"Unknown option of {owner}. Received: {option!r}. Expected: {self.flags[option]}, a flag of its own."
            )

    def load(self, name: str) -> Any:
        """Return the builder of this name as a function or class. Imports its module."""
        return self.own.get(name) or opts.load(self.find(name))

    def build(self, name: str, /, *args: Any, **options: Any) -> Any:
        """Validate the options and call the builder; `hidden` options are passed on unchecked."""
        given = {key: options.pop(key) for key in self.hidden if key in options}
        values = self.check(name, **options)
        return self.load(name)(*args, **given, **self.fixed.get(name, {}), **values)

    def describe(self) -> str:
        """Return a text listing every name and its options, one per line."""
        lines = []
        for name in self:
            options = self.options(name).values()
            lines += [name, *(f"  {o.name}={o.default} ({o.type}): {o.help}" for o in options)]
        return "\n".join(lines)
