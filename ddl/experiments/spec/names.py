"""Names that say what differs: learning_rate 0.001 and width 32 among others become `lr0.001-w32`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ddl.experiments.spec.identity import canonical, digest

MOST_CHARACTERS = 80
"""Of a label. File systems allow 255 bytes, and names of logs and pictures are made of it."""

_MOST_VALUE = 24
_ABBREVIATION = 2  # letters of a name that is short already: lr, wd
_MOST_WRITTEN = 60
_OPTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=[^=]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9.+=_-]+")
_ENDING = re.compile(r"\.(?:yaml|yml|json|csv|h5|hdf5|npz|npy|txt|py)$")


def full_name(number: int, label: str) -> str:
    """Return the name of an experiment: 003-lr0.001-w32. It is the name of its folder."""
    return f"{number:03d}-{label}"


def differing(
    settings: Sequence[Mapping[str, Any]], heads: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what differs of each setting, one level deep: model_option: width=16 becomes model_option.width: 16.

    A parameter differs where it has two values, or where one setting has it and another of the same head has it not.
    """
    opened = set(_options_of(settings))
    flat = [_flat(setting, opened) for setting in settings]
    owners: dict[str, set[str]] = {}
    first: dict[str, Any] = {}
    varied: dict[str, None] = {}
    for setting, head in zip(flat, heads or [""] * len(flat), strict=True):
        for name, value in setting.items():
            owners.setdefault(name, set()).add(head)
            if _differ(value, first.setdefault(name, value)):
                varied[name] = None
    for setting, head in zip(flat, heads or [""] * len(flat), strict=True):
        for name in owners:
            if name not in setting and head in owners[name]:
                varied[name] = None
    return [{name: value for name, value in setting.items() if name in varied} for setting in flat]


def labels(settings: Sequence[Mapping[str, Any]], heads: Sequence[str], alone: str) -> list[str]:
    """Return a label for each setting. Different settings have different ones.

    Args:
        settings: the parameters of each experiment; the same ones get the same label.
        heads: what each label begins with: the block's name where a spec has several, else "".
        alone: the label where nothing differs and nothing begins it.
    """
    differences = differing(settings, heads)
    keys = short_keys(differences)
    made = []
    for setting, head in zip(differences, heads, strict=True):
        parts = [head] if head else []
        parts += [keys[name] + value_text(value) for name, value in setting.items()]
        made.append(_shortened("-".join(parts) or alone, setting))
    return _told_apart(made, settings)


def short_keys(settings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a short form of each name, all different: learning_rate -> lr, width -> w, optimizer -> opt_.

    Before a text stand three letters and a _, before a number one letter; a name of two letters stays, such as lr.
    """
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    worded = {
        name
        for setting in settings
        for name, value in setting.items()
        if not _is_number(value) and value is not None
    }
    forms = {name: _forms(name, name in worded) for name in names}
    level = dict.fromkeys(names, 0)
    while True:
        chosen = {name: forms[name][min(level[name], len(forms[name]) - 1)] for name in names}
        counts = Counter(form.lower() for form in chosen.values())
        double = [name for name in names if counts[chosen[name].lower()] > 1]
        longer = [name for name in double if level[name] < len(forms[name]) - 1]
        if not longer:
            break
        for name in longer:
            level[name] += 1
    return {name: form + ("_" if name in worded else "") for name, form in chosen.items()}


def value_text(value: Any) -> str:
    """Return a value as a part of a file's name."""
    if isinstance(value, list):
        text = "+".join(value_text(item) for item in value) or "none"
    elif isinstance(value, float):
        text = re.sub(r"e([-+])0+", r"e\1", repr(value)).replace("e+", "e").removesuffix(".0")
    elif isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "none"}[value]
    else:
        text = safe_text(_ENDING.sub("", str(value).rstrip("/").rpartition("/")[2]))
    return text if len(text) <= _MOST_VALUE else text[: _MOST_VALUE - 7] + "_" + digest(text)


def value_as_written(value: Any) -> str:
    """Return a value as a spec would show it, shortened, on one line."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "none"}[value]
    elif isinstance(value, list):
        text = ",".join(value_as_written(item) for item in value)
    else:
        text = str(value)
    return text if len(text) <= _MOST_WRITTEN else text[:_MOST_WRITTEN] + "..."


def safe_text(text: str) -> str:
    """Return a text of characters that are safe in names of files and in shells; "empty" for none."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    safe = _UNSAFE.sub("_", plain).strip("_")
    if not safe.strip("."):
        return f"x{digest(text)}" if text.strip() else "empty"
    return safe


def _options_of(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the parameters whose values are options in every setting: width=16, or lists of such texts."""
    names = dict.fromkeys(name for setting in settings for name in setting)
    return [
        name
        for name in names
        if all(_is_options(setting[name]) for setting in settings if name in setting)
    ]


def _is_options(value: Any) -> bool:
    values = value if isinstance(value, list) and value else [value]
    return value is None or all(
        isinstance(item, str) and _OPTION.fullmatch(item) for item in values
    )


def _flat(setting: Mapping[str, Any], opened: set[str]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in setting.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": item for key, item in value.items()}
        elif name in opened and value is not None:
            for item in value if isinstance(value, list) else [value]:
                key, _, text = item.partition("=")
                flat[f"{name}.{key}"] = text
        else:
            flat[name] = value
    return flat


def _differ(one: Any, other: Any) -> bool:
    if one is other or (type(one) is type(other) and isinstance(one, (str, int, float))):
        return bool(one != other)
    return canonical(one) != canonical(other)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):  # of an option such as width=16
        return bool(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?", value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _forms(name: str, before_text: bool) -> list[str]:
    """Return forms of a name, from the shortest to the longest."""
    last = [word for word in re.split(r"[^A-Za-z0-9]+", name.rpartition(".")[2]) if word]
    every = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    words = last or every or ["x"]
    least = 3 if before_text and len(words) == 1 else 1
    if len(words) == 1 and len(words[0]) == _ABBREVIATION:
        least = _ABBREVIATION
    lengths = range(least, max(len(word) for word in words) + 1)
    short = ["".join(word[:length] for word in words) for length in lengths]
    return list(
        dict.fromkeys(
            [*short, "_".join(words), "_".join(every), f"{'_'.join(every)}_{digest(name)[:4]}"]
        )
    )


def _told_apart(made: list[str], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return labels with a digest where the same one stands for different settings."""
    counts = Counter(made)
    texts: dict[str, set[str]] = {label: set() for label in made if counts[label] > 1}
    for label, setting in zip(made, settings, strict=True):
        if label in texts:
            texts[label].add(canonical(dict(setting)))
    return [
        f"{label[: MOST_CHARACTERS - 7]}-{digest(canonical(dict(setting)))}"
        if len(texts.get(label, ())) > 1
        else label
        for label, setting in zip(made, settings, strict=True)
    ]


def _shortened(label: str, setting: Mapping[str, Any]) -> str:
    if len(label) <= MOST_CHARACTERS:
        return label
    return (
        f"{label[: MOST_CHARACTERS - 7].rstrip('-._')}-{digest(label + canonical(dict(setting)))}"
    )
