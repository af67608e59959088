"""The script to copy: your own model, loss and samples, on any number of ranks (about 20 s, to a Dice of about 0.97).
horovodrun -np 2 python scripts/train_custom.py --run-dir runs/squares --learning-rate 0.01 --epochs 10"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import ddl.command_ends  # noqa: F401, I001 (first: Ctrl-C while the rest loads is one line, too)
import numpy as np

from ddl.data.source import Field, Source, Subset
from ddl.models.zoo import add_model
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import LOSSES
from ddl.training.train_command import OPEN_DATA_FIELDS, train_from_flags, training_parser

DEFAULTS = {"data": "squares", "model": "net", "loss": "weighted_error", "metric": ("dice",)}


class Squares(Source):  # noisy pictures; each comes from its number alone, the same on all ranks
    fields = dict.fromkeys(("image", "mask"), Field((48, 48, 1), np.dtype(np.float32)))

    def __len__(self):
        return 240

    def read(self, indices):
        (y, x), number = np.mgrid[:48, :48][..., None], np.reshape(indices, (-1, 1, 1, 1))
        mask = (abs(y - 8 - 7 * number % 32) < 8) & (abs(x - 8 - 13 * number % 32) < 8)
        noise = [np.random.default_rng(i).normal(0.3, 0.2, (48, 48, 1)) for i in indices]
        return {"image": np.float32(np.clip(noise + 0.4 * mask, 0, 1)), "mask": np.float32(mask)}


def build_net(input_shape, *, classes: int, width: int = 8):  # --model-option width=16
    from keras import Input, Sequential, layers  # not at the top: --help needs no TensorFlow

    body = [layers.Conv2D(width, 5, padding="same", activation="relu") for _ in range(2)]
    return Sequential([Input(input_shape), *body, layers.Conv2D(classes, 1, activation="sigmoid")])


def weighted_error(y_true, y_pred):  # its mean over pixels and over the samples of all ranks
    return (1 + 4 * y_true) * (y_true - y_pred) ** 2


def open_squares(plan):
    return TrainingData(Subset(Squares(), range(200)), Subset(Squares(), range(200, 240)), 1)


def build_parser():
    return training_parser("train_custom", __doc__, DEFAULTS, without=OPEN_DATA_FIELDS)


def main(argv=None):
    add_model("net", build_net, target="mask")
    LOSSES.add("weighted_error", weighted_error)
    sys.exit(train_from_flags(build_parser(), argv, DEFAULTS, open_squares))


if __name__ == "__main__":
    main()
