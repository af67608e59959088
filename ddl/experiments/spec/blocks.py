"""Which keys each block of a spec has: its own, those of its base, those of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.experiments.spec.block import Block, Stop
from ddl.experiments.spec.command.commands import Command, own_script, parse_command
from ddl.experiments.spec.context import NAME, Context
from ddl.experiments.spec.fields import BLOCK_KEYS, FIELDS, TOP_KEYS
from ddl.experiments.spec.records import Rule
from ddl.experiments.spec.text.item import Item, MisfitError, Place
from ddl.experiments.spec.text.shape import mapping_of, misfit, text_of, unknown_key
from ddl.ranges import did_you_mean

MOST_BLOCKS = 10_000


def read_blocks(document: Item, context: Context) -> tuple[Block, ...]:
    """Return the blocks of a spec. Problems are added to the context's."""
    top = {name: item for name, item in document.value.items() if name in FIELDS}
    if "node" in top and isinstance(top["node"].value, dict):
        del top["node"]  # a machine of its own, which `nodes_of` reads
    for name in document.value:
        if name not in FIELDS and name not in TOP_KEYS:
            known = (*TOP_KEYS, *FIELDS)
            context.problems.add(unknown_key(document.keys[name], name, known, "the spec"))
    base = Item(top, document.place, document.keys)
    several = document.value.get("experiments")
    try:
        merged = {"": base} if several is None or several.value is None else _named(several, base)
    except MisfitError as error:
        context.problems.add(error)
        return ()
    blocks = [_block(name, item, context) for name, item in merged.items()]
    return tuple(block for block in blocks if block is not None)


def _named(several: Item, top: Item) -> dict[str, Item]:
    """Return the blocks below `experiments`, each with all its keys."""
    own = mapping_of(several, "experiments: a mapping of names to keys")
    if not 0 < len(own) <= MOST_BLOCKS:
        raise misfit(several, f"experiments: from 1 to {MOST_BLOCKS:,} named blocks")
    merged: dict[str, Item] = {}
    for name, item in own.items():
        _check_block(name, item, several.keys[name])
        merged[name] = _with_bases(name, own, top)
    return merged


def _check_block(name: str, item: Item, place: Place) -> None:
    if not NAME.fullmatch(name):
        raise MisfitError(
            place, f"Received: a block called {name!r}. Expected: a name of letters, digits, . _ -."
        )
    if item.value is None:
        return
    for key in mapping_of(item, "keys of a block, such as parameters"):
        if key not in FIELDS and key not in BLOCK_KEYS:
            known = (*BLOCK_KEYS, *FIELDS)
            raise MisfitError(
                item.keys[key],
                unknown_key(item.keys[key], key, known, f"experiments.{name}").partition(": ")[2],
            )


def _with_bases(name: str, own: Mapping[str, Item], top: Item) -> Item:
    """Return a block with what it inherits: of the spec, then of its bases, the nearest last."""
    chain = [name]
    while True:
        base = (own[chain[-1]].value or {}).get("base")
        if base is None or base.value is None:
            break
        following = text_of(base, "the name of another block")
        if following not in own:
            raise MisfitError(
                base.place,
                f"Received: base {following!r}. Expected: another block's name.{did_you_mean(following, own)}",
            )
        if following in chain:
            circle = " -> ".join([*chain, following])
            raise MisfitError(base.place, f"Received: base in a circle, {circle}. Expected: none.")
        chain.append(following)
    merged = top
    for each in reversed(chain):
        merged = _over(merged, own[each])
    return Item(merged.value, own[name].place, merged.keys)


def _over(below: Item, above: Item) -> Item:
    """Return the keys of two blocks: those above win, `parameters` name by name."""
    values, keys = dict(below.value), dict(below.keys)
    for name, item in (above.value or {}).items():
        if name in BLOCK_KEYS:
            continue
        both = name == "parameters" and name in values
        if both and isinstance(values[name].value, dict) and isinstance(item.value, dict):
            inherited = values[name]
            merged = {**inherited.value, **item.value}
            item = Item(merged, item.place, {**inherited.keys, **item.keys})
        values[name], keys[name] = item, above.keys[name]
    return Item(values, above.place, keys)


def _block(name: str, item: Item, context: Context) -> Block | None:
    before = len(context.problems)
    values: dict[str, Any] = {}
    for key, member in item.value.items():
        if member.value is None:
            continue
        try:
            values[key] = FIELDS[key].read(member, context)
        except MisfitError as error:
            context.problems.add(error)
    if "command" not in item.value or item.value["command"].value is None:
        whose = f"experiments.{name}" if name else "the spec"
        context.problems.add(
            f"{item.place}: Received: no command in {whose}. Expected: command: python train.py {{flags}}"
        )
    if len(context.problems) > before or "command" not in values:
        return None
    try:
        return _made(name, item, values, context.folder)
    except MisfitError as error:
        context.problems.add(error)
        return None


def _made(name: str, item: Item, values: dict[str, Any], spec_folder: Path) -> Block:
    place = item.value["command"].place
    text, folder = values.pop("folder", (".", spec_folder.resolve()))
    command = _command(values.pop("command"), values.pop("shell", False), folder, place)
    stop = values.pop("stop", None)
    if stop is None:
        stop = {"signal": "USR1", "grace_s": 120.0} if command.own else {}
    priorities = values.pop("priority", ())
    search = values.get("search")
    if search and search.rule:
        values["watch"] = (*values.get("watch", ()), Rule(name="search", text=search.rule))
    return Block(
        name=name,
        place=item.place,
        command=command,
        command_place=place,
        folder=folder,
        folder_text=text,
        priorities=priorities,
        node_place=item.value["node"].place if values.get("node") else None,
        stop=Stop(**stop),
        **values,
    )


def _command(given: str | tuple[str, ...], shell: bool, folder: Path, place: Place) -> Command:
    if shell:
        if not isinstance(given, str):
            raise MisfitError(
                place, "Received: shell: true with a list. Expected: one text for the shell."
            )
        return Command(words=(given,), shell=True)
    try:
        words = parse_command(given) if isinstance(given, str) else given
    except ValueError as error:
        raise MisfitError(place, str(error)) from None
    return Command(words=words, own=own_script(words, folder))
