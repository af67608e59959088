"""The options of Keras's optimizers, read from Keras's source code, so that listing them imports no TensorFlow."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import textwrap
from pathlib import Path
from typing import Any

from ddl.options import Option, find_arguments, find_constructor, find_definition, read_helps

_SHARED_HELP = "base_optimizer_keyword_args"

# Keras's constructors have no annotations. An option has the type of its default, except for these.
_TYPES = {
    "weight_decay": "float | None",
    "clipnorm": "float | None",
    "clipvalue": "float | None",
    "global_clipnorm": "float | None",
    "ema_overwrite_frequency": "int | None",
    "loss_scale_factor": "float | None",
    "gradient_accumulation_steps": "int | None",
    "exclude_layers": "tuple[str, ...] | None",
    "adam_lr_ratio": "float",  # the default is the int 1
    "rms_rate": "float | None",  # the default is 0.2
}

_TYPE_WORDS = re.compile(
    r"^(?:A float value or a constant float tensor(?:, or a callable that takes no arguments and returns the actual "
    r"value to use)?|(?:A )?floating point value|(?:float|bool(?:ean)?(?: value)?|int(?:eger)?)(?: or `?None`?)?|"
    r"List of strings)(?:, defaults to \S+)?[.,]? ",
    re.IGNORECASE,
)
_DEFAULT_WORDS = re.compile(r" ?Defaults to `?[^`\s]+?`?\.(?=\s|$)")


@functools.cache
def read_optimizer(builder: str) -> dict[str, Option]:
    """Return the options of a Keras optimizer, in the order of its constructor, without importing Keras.

    Args:
        builder: such as "keras.src.optimizers.sgd:SGD".
    """
    module, _, class_name = builder.partition(":")
    name = module.rpartition(".")[2]
    path = _folder() / f"{name}.py"
    if not path.exists():
        raise ValueError(
            f"Received: optimizer {name!r}, which the installed Keras does not have. Expected: another optimizer, "
            "or a newer Keras."
        )
    optimizer = find_definition(path, class_name)
    if not isinstance(optimizer, ast.ClassDef) or find_constructor(optimizer) is None:
        raise ValueError(
            f"Received: {path}, where {class_name} has no constructor. Expected: the Keras of requirements.txt."
        )
    helps, arguments = _helps(optimizer), find_arguments(optimizer)
    defaults = {key: ast.literal_eval(default) for key, _, default in arguments if default}
    return {
        key: Option(key, _type(key, default), default, helps.get(key, ""))
        for key, default in defaults.items()
    }


def _folder() -> Path:
    spec = importlib.util.find_spec("keras")  # find_spec of a top-level package imports nothing
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module keras.")
    return Path(spec.origin).parent / "src" / "optimizers"


def _type(name: str, default: Any) -> str:
    if name == "weight_decay" and default is not None:
        return "float"  # AdamW refuses None
    return _TYPES.get(name, type(default).__name__)


def _helps(optimizer: ast.ClassDef) -> dict[str, str]:
    """Return Keras's help for each option. The options that all optimizers share are documented in one text."""
    own = re.sub(r"\s*{{\w+}}", "", ast.get_docstring(optimizer) or "")
    return {name: _plain(text) for name, text in (_shared_helps() | read_helps(own)).items()}


@functools.cache
def _shared_helps() -> dict[str, str]:
    tree = ast.parse((_folder() / "base_optimizer.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == _SHARED_HELP:
            text = textwrap.dedent(" " * 8 + ast.literal_eval(node.value))
            return read_helps("Args:\n" + textwrap.indent(text, "    "))
    return {}


def _plain(text: str) -> str:
    """Return a help text without its type and default, which `Option` has as fields."""
    text = _DEFAULT_WORDS.sub("", _TYPE_WORDS.sub("", text))
    return text[:1].upper() + text[1:]
