"""Reads what a spec says about watching and telling: `watch`, `variables`, `mail`, `notify`.

The rooms that use these values check them: a rule is parsed, addresses and kinds of events are known.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ddl.experiments.spec.context import NAME, Context
from ddl.experiments.spec.records import Rule, Variable
from ddl.experiments.spec.text.item import Item, MisfitError
from ddl.experiments.spec.text.shape import mapping_of, misfit, read_members, text_of, texts_of


def read_watch(item: Item, context: Context) -> tuple[Rule, ...]:
    """Return the watch rules."""
    members = mapping_of(
        item, "rules: a mapping such as hopeless: val_dice < 0.6 after 20 epochs -> stop"
    )
    rules = []
    for name, member in members.items():
        try:
            rules.append(rule_of(name, member))
        except MisfitError as error:
            context.problems.add(error)
    return tuple(rules)


def rule_of(name: str, item: Item) -> Rule:
    """Return a watch rule whose text can be read."""
    if not NAME.fullmatch(name):
        raise MisfitError(
            item.place,
            f"Received: a rule called {name!r}. Expected: a name of letters, digits, . _ -.",
        )
    if not isinstance(item.value, str):
        raise misfit(item, "a rule such as val_dice < 0.6 after 20 epochs -> stop")
    _ask(item, "watching.rule_text", "parse_rule", name, item.value)
    return Rule(name=name, text=item.value)


def read_variables(item: Item, context: Context) -> tuple[Variable, ...]:
    """Return where variables are read from."""
    items = item.value if isinstance(item.value, list) else [item]
    if not items:
        raise misfit(item, 'variables such as {from: stdout, pattern: "{name} {value}"}')
    readers: dict[str, Callable[[Item], Any]] = {
        "from": text_of,
        "pattern": text_of,
        "columns": texts_of,
    }
    found = []
    for each in items:
        if isinstance(each.value, str):
            found.append(Variable(source=text_of(each)))
            continue
        given = read_members(each, readers, "variables", context.problems)
        variable = Variable.from_json(given)
        _ask(each, "watching.variables", "check_source", variable.to_json())
        found.append(variable)
    return tuple(found)


def read_mail(item: Item, context: Context) -> dict[str, Any]:
    """Return the wishes about mail; an address alone is `to`."""
    if isinstance(item.value, dict):
        for name in item.value:
            if "pass" in name.lower():
                raise MisfitError(
                    item.keys[name],
                    f"Received: {name} in a spec, which others can read. Expected: it in the environment or in a file "
                    "that only you can read; docs/experiments.md says where.",
                )
        value = item.plain()
    else:
        value = {"to": item.plain()}
    template = value.get("template")
    if isinstance(template, str):
        path = context.folder / template
        if not path.is_file():
            raise MisfitError(
                item.place,
                f"Received: template {template}, which is no file. Expected: a file beside the spec.",
            )
        _ask(item, "notify.templates", "read_template", path)
        value["template"] = str(path.resolve())
    _ask(item, "notify.wishes", "read_mail_wishes", value)
    return dict(value)


def read_notify(item: Item, _: Context) -> dict[str, Any]:
    """Return the wishes about a command to be told; a command alone is `command`."""
    value = item.plain()
    value = value if isinstance(value, dict) else {"command": value}
    _ask(item, "notify.wishes", "read_command_wishes", value)
    return value


def _ask(item: Item, module: str, function: str, *arguments: Any) -> None:
    """Let the room that uses a value check it."""
    dotted = f"ddl.experiments.{module}"
    if find_spec(dotted) is None:
        return
    try:
        getattr(import_module(dotted), function)(*arguments)
    except ValueError as error:
        raise MisfitError(item.place, str(error)) from None
