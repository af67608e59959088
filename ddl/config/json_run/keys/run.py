"""The keys of the run itself, of `checkpoints`, `layers` and `ddl`."""

from __future__ import annotations

from ddl.config.json_run.keys.data import DATA
from ddl.config.json_run.keys.detector import DETECTOR
from ddl.config.json_run.keys.gan import DISCRIMINATOR, GAN, GENERATOR
from ddl.config.json_run.keys.key import Key, Section
from ddl.config.json_run.keys.loss import LOSS
from ddl.config.json_run.keys.optimizer import OPTIMIZER
from ddl.config.json_run.keys.parallel import PARALLEL
from ddl.ranges import Range

CHECKPOINTS = Section(
    "checkpoints",
    "models that are written and read",
    (
        Key(
            "save", "path", "folder for model_checkpoint_EPOCH.keras and .pt", "--checkpoint-copies"
        ),
        Key(
            "interval",
            "int",
            "epochs from one to the next",
            "--copy-every-epochs",
            default=1,
            range=Range(1),
        ),
        Key(
            "load",
            "path",
            "model to start from, or to infer with: .pt and .keras of ours, .h5 of Keras",
            "--init-weights",
        ),
    ),
)

LAYERS = Section(
    "layers",
    "the network with settings of ours, in place of its path",
    (
        Key("file", "path", "network file", "--model network --model-option file=PATH"),
        Key("layers", "layers", "the layers themselves", "--model-option layers=JSON"),
        Key(
            "batch_norm_affine",
            "name",
            "weights of batch normalization: `keras` has those that `center` and `scale` ask for, `always` both",
            "--model-option batch_norm_affine=NAME",
            default="keras",
            choices=("keras", "always"),
        ),
    ),
)

DDL = Section(
    "ddl",
    "any other field of a run by its name, such as seed; docs/training.md lists them",
    (),
)

ROOT = Section(
    "",
    "the run",
    (
        Key(
            "outfile",
            "path",
            "base name of two log files: out.txt gives out_train.txt and out_test.txt",
            "--epoch-log",
        ),
        Key("num_epochs", "int", "epochs to train", "--epochs", default=1, range=Range(1)),
        Key(
            "layers",
            "layers",
            "network file, or the layers themselves; needed but for a GAN or a detector",
            "--model network --model-option file=PATH",
            section=LAYERS,
        ),
        Key("debug", "bool", "write the network as RUN_DIR/network.dot", "--graph", default=False),
        Key(
            "debug_interval",
            "int",
            "epochs between two of them",
            range=Range(1),
            idle="the network does not change, and is written once",
        ),
        Key("checkpoints", "object", CHECKPOINTS.help, section=CHECKPOINTS),
        Key("data", "object", DATA.help, section=DATA, needed=True),
        Key("optimizer", "object", OPTIMIZER.help, section=OPTIMIZER),
        Key("loss", "object", LOSS.help, section=LOSS),
        Key("detector", "object", DETECTOR.help, section=DETECTOR),
        Key("generator", "object", GENERATOR.help, section=GENERATOR),
        Key("discriminator", "object", DISCRIMINATOR.help, section=DISCRIMINATOR),
        Key("gan", "object", GAN.help, section=GAN),
        Key("parallel", "object", PARALLEL.help, section=PARALLEL),
        Key("ddl", "object", DDL.help, section=DDL),
    ),
)
