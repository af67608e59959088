"""PyTorch's rules against NumPy written by hand, step by step, with weight decay and a rate that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.training.optimization.optimizers import OPTIMIZERS, build_optimizer

Array = np.ndarray[Any, Any]
Rule = Callable[[Array, Array, float, int, dict[str, Any]], Array]
RATES = (0.25, 0.25, 0.0625, 0.0625, 0.5, 0.5)  # exact in float32, which holds the rate


def sgd(m: float = 0, dampening: float = 0, nesterov: bool = False, wd: float = 0) -> Rule:
    def step(w: Array, g: Array, lr: float, t: int, kept: dict[str, Any]) -> Array:
        g = g + wd * w
        if m:
            v = g if t == 1 else m * kept["v"] + (1 - dampening) * g
            kept["v"] = v
            g = g + m * v if nesterov else v
        return w - lr * g

    return step


def lars(m: float = 0, wd: float = 0, eta: float = 1e-3) -> Rule:
    def step(w: Array, g: Array, lr: float, t: int, kept: dict[str, Any]) -> Array:
        long, steep = np.linalg.norm(w), np.linalg.norm(g)
        trust = eta * long / (steep + wd * long) if long and steep else 1.0
        return sgd(m=m)(w, trust * (g + wd * w), lr, t, kept)

    return step


def adagrad(decay: float = 0, wd: float = 0, start: float = 0, eps: float = 1e-10) -> Rule:
    def step(w: Array, g: Array, lr: float, t: int, kept: dict[str, Any]) -> Array:
        g = g + wd * w
        kept["s"] = kept.get("s", start) + g * g
        return w - lr / (1 + (t - 1) * decay) * g / (np.sqrt(kept["s"]) + eps)

    return step


def rmsprop(
    rho: float = 0.99, m: float = 0, eps: float = 1e-8, centered: bool = False, wd: float = 0
) -> Rule:
    def step(w: Array, g: Array, lr: float, t: int, kept: dict[str, Any]) -> Array:
        g = g + wd * w
        kept["v"] = rho * kept.get("v", 0) + (1 - rho) * g * g
        kept["a"] = rho * kept.get("a", 0) + (1 - rho) * g
        spread = kept["v"] - kept["a"] ** 2 if centered else kept["v"]
        kept["b"] = m * kept.get("b", 0) + g / (np.sqrt(spread) + eps)
        return w - lr * kept["b"]

    return step


def adam(
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    amsgrad: bool = False,
    wd: float = 0,
    kind: str = "adam",
) -> Rule:
    def step(w: Array, g: Array, lr: float, t: int, kept: dict[str, Any]) -> Array:
        if kind == "adam":
            g = g + wd * w
        kept["m"] = b1 * kept.get("m", 0) + (1 - b1) * g
        kept["v"] = b2 * kept.get("v", 0) + (1 - b2) * g * g
        kept["most"] = np.maximum(kept.get("most", 0), kept["v"])
        root = np.sqrt((kept["most"] if amsgrad else kept["v"]) / (1 - b2**t))
        r = kept["m"] / (1 - b1**t) / (root + eps)
        if kind == "adamw":
            return w * (1 - lr * wd) - lr * r
        if kind == "lamb":
            r = r + wd * w
            r = r * (np.linalg.norm(w) / np.linalg.norm(r) if np.linalg.norm(w) else 1.0)
        return w - lr * r

    return step


CASES: list[tuple[str, dict[str, Any], Callable[[float], Rule]]] = [
    ("torch_sgd", {}, lambda wd: sgd(wd=wd)),
    ("torch_sgd", {"momentum": 0.9}, lambda wd: sgd(0.9, wd=wd)),
    ("torch_sgd", {"momentum": 0.9, "dampening": 0.5}, lambda wd: sgd(0.9, 0.5, wd=wd)),
    ("torch_sgd", {"momentum": 0.9, "nesterov": True}, lambda wd: sgd(0.9, nesterov=True, wd=wd)),
    ("lars", {}, lambda wd: lars(wd=wd)),
    ("lars", {"momentum": 0.8, "eta": 0.5}, lambda wd: lars(0.8, wd, 0.5)),
    ("torch_adagrad", {}, lambda wd: adagrad(wd=wd)),
    (
        "torch_adagrad",
        {"lr_decay": 0.5, "epsilon": 0.1, "initial_accumulator_value": 0.2},
        lambda wd: adagrad(0.5, wd, 0.2, 0.1),
    ),
    ("torch_rmsprop", {}, lambda wd: rmsprop(wd=wd)),
    (
        "torch_rmsprop",
        {"rho": 0.7, "momentum": 0.9, "epsilon": 0.01, "centered": True},
        lambda wd: rmsprop(0.7, 0.9, 0.01, True, wd),
    ),
    ("torch_adam", {}, lambda wd: adam(wd=wd)),
    (
        "torch_adam",
        {"beta_1": 0.5, "beta_2": 0.25, "epsilon": 0.1, "amsgrad": True},
        lambda wd: adam(0.5, 0.25, 0.1, True, wd),
    ),
    ("torch_adamw", {}, lambda wd: adam(wd=wd, kind="adamw")),
    ("torch_adamw", {"amsgrad": True}, lambda wd: adam(amsgrad=True, wd=wd, kind="adamw")),
    ("torch_lamb", {}, lambda wd: adam(wd=wd, kind="lamb")),
    ("torch_lamb", {"beta_1": 0.5}, lambda wd: adam(0.5, wd=wd, kind="lamb")),
]


def weights() -> list[keras.Variable]:
    """Return a matrix and a bias of zeros, in float64."""
    values = np.random.default_rng(0).normal(size=(3, 2))
    return [
        keras.Variable(values, dtype="float64", name="kernel"),
        keras.Variable(np.zeros(2), dtype="float64", name="bias"),
    ]


def gradients(step: int) -> list[Array]:
    random = np.random.default_rng(step + 1)
    return [random.normal(size=(3, 2)), random.normal(size=2)]


def follow(rules: list[Rule], steps: int = len(RATES)) -> list[Array]:
    """Return the weights after steps by hand."""
    values, kept = [w.numpy() for w in weights()], [{}, {}]  # type: ignore[var-annotated]
    for step in range(steps):
        values = [
            rule(w, g, RATES[step], step + 1, own)
            for rule, w, g, own in zip(rules, values, gradients(step), kept, strict=True)
        ]
    return values


def take(optimizer: Any, steps: int = len(RATES)) -> list[Array]:
    """Return the weights after steps of an optimizer."""
    trained = weights()
    optimizer.build(trained)
    for step in range(steps):
        optimizer.learning_rate = RATES[step]
        optimizer.apply([tf.constant(g) for g in gradients(step)], trained)
    return [w.numpy() for w in trained]


@pytest.mark.parametrize("decay", [0.0, 0.25])
@pytest.mark.parametrize(("name", "options", "by_hand"), CASES)
def test_a_rule_is_its_formula(
    name: str, options: dict[str, Any], by_hand: Callable[[float], Rule], decay: float
) -> None:
    found = take(build_optimizer(name, RATES[0], weight_decay=decay, **options))
    for mine, expected in zip(found, follow([by_hand(decay)] * 2), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if "torch" in name or name == "lars"])
def test_a_weight_may_go_without_decay(name: str) -> None:
    by_hand = next(rule for known, options, rule in CASES if known == name and not options)
    trained = weights()
    optimizer: Any = build_optimizer(name, RATES[0], weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_list=trained[:1])
    optimizer.build(trained)
    for step in range(2):
        optimizer.apply([tf.constant(g) for g in gradients(step)], trained)
    expected = follow([by_hand(0.0), by_hand(0.25)], 2)
    for mine, value in zip(trained, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), value, rtol=1e-12, atol=1e-14)


def test_clipping_comes_before_the_decay() -> None:
    found = take(build_optimizer("torch_sgd", RATES[0], weight_decay=0.25, clipvalue=0.1), 1)
    clipped = [np.clip(g, -0.1, 0.1) for g in gradients(0)]
    for w, g, mine in zip(weights(), clipped, found, strict=True):
        np.testing.assert_allclose(mine, sgd(wd=0.25)(w.numpy(), g, RATES[0], 1, {}), rtol=1e-12)


def test_an_update_counts_once_with_accumulation_and_the_average_follows() -> None:
    """Two steps of two micro-batches each; the bias correction and the first buffer go by updates."""
    options: dict[str, Any] = {"gradient_accumulation_steps": 2, "weight_decay": 0.25}
    for name, own, rule in (
        ("torch_adam", {}, adam(wd=0.25)),
        ("torch_sgd", {"momentum": 0.9, "dampening": 0.5}, sgd(0.9, 0.5, wd=0.25)),
    ):
        trained = weights()
        optimizer: Any = build_optimizer(name, 0.25, use_ema=True, **options, **own)
        optimizer.build(trained)
        value, kept = trained[0].numpy(), {}  # type: ignore[var-annotated]
        for step in range(2):
            pair = [gradients(2 * step)[0], gradients(2 * step + 1)[0]]
            for g in pair:
                optimizer.apply([tf.constant(g), tf.zeros(2, tf.float64)], trained)
            value = rule(value, (pair[0] + pair[1]) / 2, 0.25, step + 1, kept)
        np.testing.assert_allclose(trained[0].numpy(), value, rtol=1e-12)
        assert np.isfinite(optimizer._model_variables_moving_average[0].numpy()).all()


def test_sparse_gradients_are_those_of_the_whole_table() -> None:
    table = keras.Variable(np.ones((4, 2)), dtype="float64")
    optimizer: Any = build_optimizer("torch_adam", 0.25, weight_decay=0.5)
    rows = tf.IndexedSlices(
        tf.constant([[1.0, 2.0], [3.0, 4.0]], tf.float64), tf.constant([1, 1]), tf.constant([4, 2])
    )
    optimizer.apply([rows], [table])
    dense = np.zeros((4, 2))
    dense[1] = 4, 6
    np.testing.assert_allclose(
        table.numpy(), adam(wd=0.5)(np.ones((4, 2)), dense, 0.25, 1, {}), rtol=1e-12
    )


def test_float32_weights_keep_the_digits_of_a_beta_near_1() -> None:
    """1 - 0.999 is off by a relative 5e-5 in float32; torch computes the correction in double precision."""
    w = keras.Variable([1.0])
    build_optimizer("torch_adam", 0.25, epsilon=0.5).apply([tf.constant([0.5])], [w])
    assert float(w.numpy()[0]) == pytest.approx(1 - 0.25 * 0.5 / (0.5 + 0.5), rel=2e-7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("torch_sgd", {"dampening": 0.1}, "dampening=0.1 with momentum=0 for optimizer torch_sgd"),
        (
            "lars",
            {"momentum": 0.9, "nesterov": True, "dampening": 0.1},
            "dampening=0.1 with nesterov=true for optimizer lars",
        ),
        ("torch_sgd", {"nesterov": True}, "nesterov=true with momentum=0"),
        ("lars", {"eta": 0.0}, "eta=0.0 for optimizer lars. Expected: above 0."),
        ("torch_adagrad", {"lr_decay": -1}, "lr_decay=-1.0 for optimizer torch_adagrad"),
        ("torch_adam", {"momentum": 0.9}, "option of optimizer torch_adam. Received: 'momentum'"),
        ("torch_rmsprop", {"weight_decay": None}, "weight_decay=None. Expected: a number."),
    ],
)
def test_what_torch_refuses_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS.check(name, **options)
