"""The keys of `loss`."""

from __future__ import annotations

from ddl.config.json_run.keys.detector import BOX_LOSSES
from ddl.config.json_run.keys.key import Key, Section
from ddl.ranges import Range

_NOT_NEGATIVE = Range(0)
PDE_LOSSES = ("Burgers_PDE", "Poisson2D_PDE", "Poisson3D_PDE")
LOSS_NAMES = ("NLL", "BCE", "MSE", "Dice", "Jaccard", "Focal", "Lovasz", "Wasserstein")
_BURGERS = ("Burgers_PDE",)

LOSS = Section(
    "loss",
    "what is minimised; needed to train",
    (
        Key(
            "function",
            "name",
            "the loss",
            "--loss",
            needed=True,
            choices=(*LOSS_NAMES, *PDE_LOSSES, *BOX_LOSSES),
        ),
        Key(
            "source",
            "name",
            "what the network ends in; by default read off the network",
            "--loss-option source=NAME",
            choices=("sigmoid", "softmax", "log_softmax"),
            only=LOSS_NAMES[:2] + LOSS_NAMES[3:7],
        ),
        Key(
            "weight",
            "floats",
            "weight of each class",
            "--loss-option weight=A,B,C",
            range=_NOT_NEGATIVE,
            only=("NLL",),
        ),
        Key(
            "ignore_index",
            "int",
            "class that is left out",
            "--loss-option ignore_index=N",
            only=("NLL",),
        ),
        Key(
            "gradient_penalty",
            "float",
            "weight of the critic's gradient penalty, in a GAN; 10 unless `clip` is given",
            "--gan-loss wgan_gp --gradient-penalty",
            range=_NOT_NEGATIVE,
            also=("gp_weight",),
            only=("Wasserstein",),
        ),
        Key(
            "clip",
            "float",
            "limit of the critic's weights, in a GAN, in place of the penalty",
            "--gan-loss wgan --clip",
            range=Range(0, above=True),
            also=("clip_value",),
            only=("Wasserstein",),
        ),
        Key(
            "diffusion_coeff",
            "float",
            "viscosity",
            "--loss-option diffusion_coeff=NUMBER",
            default=0.0,
            range=_NOT_NEGATIVE,
            only=_BURGERS,
        ),
        Key(
            "boundary_factor",
            "float",
            "weight of initial and boundary conditions",
            "--loss-option boundary_factor=NUMBER",
            default=1.0,
            range=_NOT_NEGATIVE,
            only=_BURGERS,
        ),
    ),
    decides="function",
)
