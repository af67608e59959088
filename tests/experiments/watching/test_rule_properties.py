"""Rules of any shape: their text and tree say the same, and they fire where a plain model says."""

from __future__ import annotations

import json
import math
import statistics

from hypothesis import given, settings
from hypothesis import strategies as st

from ddl.experiments.watching.condition.directions import direction_of
from ddl.experiments.watching.condition.tree import (
    LARGE,
    Arithmetic,
    Comparison,
    Constant,
    Logic,
    NoBest,
    NoProgress,
    OfGroup,
    Rule,
    Span,
    Statistic,
    Variable,
)
from ddl.experiments.watching.rule_text import parse_rule
from ddl.experiments.watching.rules import Watch

START = 1_790_000_000.0
NAMES = ("loss", "val_dice", "train/loss", "for", "min", "x.y")
DIRECTED = ("loss", "val_dice", "train/loss")

# -- trees and their text

names = st.sampled_from(NAMES)
numbers = st.one_of(
    st.integers(0, 10**6).map(float), st.floats(0, 1e6, allow_nan=False, allow_subnormal=False)
)
spans = st.builds(Span, numbers, st.sampled_from(["epochs", "steps", "s"]))


def _bests(name, kind):
    direction = direction_of(name)
    wants = direction if kind == "best" else {"large": "small", "small": "large"}[direction]
    return Statistic(kind, name, None, wants)


values = st.one_of(
    st.builds(Constant, numbers),
    st.builds(Variable, names),
    st.builds(_bests, st.sampled_from(DIRECTED), st.sampled_from(["best", "worst"])),
    st.builds(
        Statistic,
        st.sampled_from(["mean", "median", "slope", "max", "min"]),
        names,
        st.one_of(st.none(), st.integers(2, 9)),
    ),
    st.builds(Statistic, st.just("last"), names),
    st.builds(OfGroup, st.sampled_from(["mean", "median", "max", "min"]), names),
)
sums = st.recursive(
    values,
    lambda inner: st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/"), inner, inner),
        st.builds(Arithmetic, st.sampled_from(["neg", "abs"]), inner),
    ),
    max_leaves=4,
)
parts = st.one_of(
    st.builds(Comparison, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), sums, sums),
    st.builds(Statistic, st.just("finite"), names),
    st.builds(NoProgress, st.builds(Span, numbers, st.just("s"))),
    st.builds(
        lambda name, span: NoBest(name, direction_of(name), span), st.sampled_from(DIRECTED), spans
    ),
)
conditions = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.builds(Logic, st.sampled_from(["and", "or"]), inner, inner),
        st.builds(lambda node: Logic("not", node), inner),
    ),
    max_leaves=4,
)
actions = st.lists(
    st.sampled_from(["warn", "mail", "stop", "kill", "pause", "command page"]),
    min_size=1,
    unique=True,
).map(tuple)


def quoted(name: str) -> str:
    return f'"{name}"' if name in ("for", "train/loss") else name


def text_of(node) -> str:
    """Return a text of a tree, with parentheses around all that is composed."""
    if isinstance(node, Constant):
        return repr(node.value)
    if isinstance(node, Variable):
        return quoted(node.name)
    if isinstance(node, OfGroup):
        return f"{node.kind}(group, {quoted(node.name)})"
    if isinstance(node, Statistic):
        rows = "" if node.rows is None else f", {node.rows}"
        return f"{node.kind}({quoted(node.name)}{rows})"
    if isinstance(node, NoProgress):
        return f"no progress in {span_text(node.span)}"
    if isinstance(node, NoBest):
        return f"no best({quoted(node.name)}) in {span_text(node.span)}"
    if node.right is None:
        sign = {"neg": "-", "abs": "abs", "not": "not "}[node.operator]
        return f"{sign}({text_of(node.left)})"
    return f"({text_of(node.left)}) {node.operator} ({text_of(node.right)})"


def span_text(span: Span) -> str:
    return f"{span.amount!r} {span.unit}"


@settings(max_examples=150, deadline=None)
@given(conditions, st.one_of(st.none(), spans), st.one_of(st.none(), spans), actions)
def test_a_tree_that_is_written_as_text_is_read_as_the_same_tree(condition, after, lasting, due):
    parts = [text_of(condition)]
    parts += [f"after {span_text(after)}"] if after else []
    parts += [f"for {span_text(lasting)}"] if lasting else []
    text = f"{' '.join(parts)} -> {', '.join(due)}"
    if len(text) <= 500:
        assert parse_rule("r", text) == Rule("r", text, condition, after, lasting, due)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text("()<>=-+*/ ,.\"'0123abfornt%", max_size=60))
def test_any_text_is_a_rule_or_refused_in_one_line(text):
    try:
        parse_rule("r", f"{text} -> stop")
    except ValueError as error:
        message = str(error)
        assert message.startswith("Received: rule r, wrong at character ")
        assert len(message.splitlines()) == 1


# -- a plain model: computed anew at every row from all values so far

rows_of_values = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "loss": st.sampled_from([0.0, 1.0, 2.0, 3.0, 7.0, math.nan, math.inf]),
            "val_dice": st.sampled_from([0.0, 0.5, 0.75, 1.0, math.nan]),
        },
    ),
    max_size=12,
)
plain_values = st.one_of(
    st.builds(Constant, st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    st.builds(Variable, st.sampled_from(["loss", "val_dice"])),
    st.builds(_bests, st.sampled_from(["loss", "val_dice"]), st.sampled_from(["best", "worst"])),
    st.builds(
        Statistic,
        st.sampled_from(["mean", "median", "max", "min"]),
        st.sampled_from(["loss", "val_dice"]),
        st.one_of(st.none(), st.integers(1, 4)),
    ),
    st.builds(Statistic, st.just("last"), st.sampled_from(["loss", "val_dice"])),
)
plain_sums = plain_values | st.builds(
    Arithmetic, st.sampled_from("+-*/"), plain_values, plain_values
)
plain_parts = st.one_of(
    st.builds(
        Comparison, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), plain_sums, plain_sums
    ),
    st.builds(Statistic, st.just("finite"), st.sampled_from(["loss", "val_dice"])),
    st.builds(
        lambda name, n: NoBest(name, direction_of(name), Span(n, "epochs")),
        st.sampled_from(["loss", "val_dice"]),
        st.integers(1, 4).map(float),
    ),
)
plain_conditions = plain_parts | st.builds(
    Logic, st.sampled_from(["and", "or"]), plain_parts, plain_parts
)


def had(name, rows):
    return [(row["epoch"], row[name]) for row in rows if name in row]


def model_number(node, rows):
    """Return a number as text books compute it, None if a value is missing."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Variable):
        return rows[-1].get(node.name)
    if isinstance(node, Arithmetic):
        left, right = model_number(node.left, rows), model_number(node.right, rows)
        if left is None or right is None:
            return None
        compute = {
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right,
            "/": lambda: left / right if right else math.nan,
        }
        return compute[node.operator]()
    window = [value for _, value in had(node.name, rows)]
    if not window:
        return None
    if node.kind == "last":
        return window[-1]
    if node.rows is not None:
        if len(window) < node.rows:
            return None
        window = window[-node.rows :]
    finite = [value for value in window if math.isfinite(value)]
    if node.kind in ("best", "worst"):
        return (max if node.wants == LARGE else min)(finite, default=None)
    if node.kind in ("max", "min"):
        return {"max": max, "min": min}[node.kind](finite, default=None)
    if any(map(math.isnan, window)):
        return math.nan
    return sum(window) / len(window) if node.kind == "mean" else statistics.median(window)


def model_holds(node, rows):
    if isinstance(node, Comparison):
        left, right = model_number(node.left, rows), model_number(node.right, rows)
        if left is None or right is None:
            return None
        if math.isnan(left) or math.isnan(right):
            return False
        return {
            "<": left < right,
            "<=": left <= right,
            ">": left > right,
            ">=": left >= right,
            "==": left == right,
            "!=": left != right,
        }[node.operator]
    if isinstance(node, Logic):
        sides = {model_holds(node.left, rows), model_holds(node.right, rows)}
        decides = node.operator == "or"
        if decides in sides:
            return decides
        return None if None in sides else not decides
    if isinstance(node, Statistic):
        return math.isfinite(rows[-1][node.name]) if node.name in rows[-1] else None
    finite = [(epoch, value) for epoch, value in had(node.name, rows) if math.isfinite(value)]
    if not finite:
        return None
    best = (max if node.wants == LARGE else min)(value for _, value in finite)
    first = next(epoch for epoch, value in finite if value == best)
    return had(node.name, rows)[-1][0] - first >= node.span.amount


def model_firings(condition, after, lasting, rows):
    """Return the epochs at which a rule fires."""
    found, since, has_fired = [], None, False
    for count in range(1, len(rows) + 1):
        epoch = rows[count - 1]["epoch"]
        value = model_holds(condition, rows[:count])
        if value is None:
            continue
        if not value or epoch < after:
            since, has_fired = None, False
            continue
        since = epoch if since is None else since
        if not has_fired and epoch - since + 1 >= lasting:
            found.append(epoch)
            has_fired = True
    return found


@settings(max_examples=300, deadline=None)
@given(
    rows_of_values,
    plain_conditions,
    st.integers(0, 5),
    st.integers(1, 4),
    st.lists(st.integers(1, 12), max_size=3),
)
def test_a_rule_fires_where_a_plain_model_says_also_over_attempts(
    parts, condition, after, lasting, restarts
):
    rows = [{"epoch": n, "time": START + n, **part} for n, part in enumerate(parts, 1)]
    text = f"{text_of(condition)} after {after} epochs for {lasting} epochs -> stop"
    rule = parse_rule("r", text)
    watch = Watch([rule])
    found = []
    for count in range(1, len(rows) + 1):
        # All rows at hand are whole: the agent says so once the program has ended.
        firings = watch.evaluate(rows[:count], START + count, START, START, ended=True)
        found += [firing.epoch for firing in firings if "no variable" not in firing.text]
        if count in restarts:  # a later attempt begins, some epochs earlier
            state = json.loads(json.dumps(watch.to_json()))
            watch = Watch([rule])
            watch.from_json(state)
            watch.evaluate(rows[: count // 2], START + count, START, START, ended=True)
    assert found == model_firings(condition, after, lasting, rows)
