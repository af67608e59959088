"""The tables of generators and discriminators. No TensorFlow here."""

from __future__ import annotations

from ddl.builder_table import BuilderTable
from ddl.ranges import Range

_DCGAN = "ddl.models.adversarial.dcgan"
_FILES = "ddl.models.adversarial.from_file"
_NORMS = ("group", "sync", "batch", "none")

GENERATORS = BuilderTable(
    "generator",
    {"dcgan": f"{_DCGAN}:generator", "network": f"{_FILES}:generator"},
    hidden=("classes", "latent_size"),
    flags={"classes": "--conditional", "latent_size": "--latent-size"},
    ranges={"width": Range(1, 4096)},
    choices={"norm": _NORMS},
)
DISCRIMINATORS = BuilderTable(
    "discriminator",
    {"dcgan": f"{_DCGAN}:discriminator", "network": f"{_FILES}:discriminator"},
    hidden=("classes",),
    flags={"classes": "--conditional"},
    ranges={"width": Range(1, 4096)},
    choices={"norm": ("none", "group")},
)
