"""List the models with their sizes: parameters and multiply-adds at the input that each is published for.

    python scripts/list_models.py
    python scripts/list_models.py --like "vgg*" "resnet1*"
    python scripts/list_models.py --json
    python scripts/list_models.py --network net.json --layers

The numbers stand in a table that comes with the package, or are computed from a network file without TensorFlow, so
the list appears at once.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)
from ddl.flags import Parser, add_flags
from ddl.models.listing import (
    aliases_table,
    as_csv,
    as_json,
    as_table,
    find_models,
    gans_table,
    layers_as_table,
    listed_networks,
)
from ddl.standard_streams import end_output


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is listed, and how.

    Attributes:
        like: names of models to list; * and ? are wildcards, as in "vgg*".
        csv: write comma-separated values.
        json: write a list of JSON objects.
        aliases: list the names of the PyDTNN launcher's zoo, and what they stand for here.
        gans: list generators and discriminators for train_gan.py, with their parameters for pictures of 32x32x3.
        network: network files to list, in place of the models.
        layers: list the layers of each network file, with their shapes and parameters.
    """

    like: tuple[str, ...] = ()
    csv: bool = False
    json: bool = False
    aliases: bool = False
    gans: bool = False
    network: tuple[str, ...] = ()
    layers: bool = False


def build_parser() -> Parser:
    """Return a parser with one flag for every field of a listing."""
    parser = Parser("list_models", __doc__, "[flags]")
    add_flags(parser, (Listing,))
    return parser


def main(argv: list[str] | None = None) -> None:
    """Parse, check, list."""
    parser = build_parser()
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value}
    try:
        if len({"csv", "json", "aliases"} & set(given)) > 1 or {"aliases", "like"} <= set(given):
            raise ValueError(
                f"Received: {' with '.join(sorted(given))}. Expected: one of csv, json and aliases; aliases alone."
            )
        if "gans" in given and len(given) > 1:
            others = " ".join(sorted(set(given) - {"gans"}))
            raise ValueError(f"Received: gans with {others}. Expected: gans alone.")
        if "network" in given and {"aliases", "like"} & set(given):
            raise ValueError("Received: network with like or aliases. Expected: one of them.")
        if "layers" in given and ("network" not in given or {"csv", "json"} & set(given)):
            raise ValueError(
                "Received: layers without network, or with csv or json. Expected: layers with network."
            )
        files = [Path(file) for file in given.get("network", ())]
        models = listed_networks(files) if files else find_models(given.get("like", ()))
        tables = [layers_as_table(file) for file in files] if "layers" in given else []
    except ValueError as error:
        sys.exit(parser.complain(error))
    form = as_json if "json" in given else as_csv if "csv" in given else as_table
    text = "\n".join(tables) if tables else form(models)
    if "aliases" in given or "gans" in given:
        text = aliases_table() if "aliases" in given else gans_table()
    sys.stdout.write(text)
    sys.exit(end_output(parser.name))


if __name__ == "__main__":
    main()
