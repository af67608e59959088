"""Watch rules: from the user's text to a tree, by a small parser of our own.

    rule       = condition ["after" span] ["for" span] "->" action {"," action}
    span       = number ("epochs" | "steps" | "s" | "min" | "h")
    action     = "warn" | "mail" | "stop" | "kill" | "pause" | "command" NAME
    condition  = all {"or" all};  all = part {"and" part};  part = "not" part | comparison
    comparison = "no" "progress" "in" span | "no" "best" "(" name ")" "in" span | sum [("<" | ">" | ...) sum]
    sum        = term {("+" | "-") term};  term = factor {("*" | "/") factor};  factor = "-" factor | value
    value      = number ["%" | unit of time] | name | "(" condition ")" | function "(" name ["," number] ")"

`functions.py` reads the values.
"""

from __future__ import annotations

from typing import Callable

from ddl.experiments.watching.condition.functions import (
    SECONDS_OF,
    number,
    read_value,
    read_variable,
    wants_of,
)
from ddl.experiments.watching.condition.tokens import NAME, NUMBER, QUOTED, Cursor, Problem
from ddl.experiments.watching.condition.tree import (
    EPOCHS,
    SECONDS,
    STEPS,
    Arithmetic,
    Comparison,
    Logic,
    NoBest,
    Node,
    NoProgress,
    Rule,
    Span,
    is_condition,
)

ACTIONS = ("warn", "mail", "stop", "kill", "pause")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
UNITS = {"epoch": EPOCHS, "epochs": EPOCHS, "step": STEPS, "steps": STEPS}
DEEPEST = 20

_SHOWN = 60


def parse_rule(name: str, text: str) -> Rule:
    """Return the rule that a text means.

    Raises:
        ValueError: it means none; says at which character, and what was expected there.
    """
    if not isinstance(text, str):
        raise ValueError(
            f"Received: rule {name}: {text!r}. Expected: a text such as val_dice < 0.6 after 20 epochs -> stop."
        )
    try:
        return _Parser(text).rule(name, text)
    except Problem as problem:
        at = min(problem.at, len(text))
        before, behind = text[:at][-_SHOWN:], text[at:][:_SHOWN]
        shown = " ".join(f"{before}^{behind}".split())
        raise ValueError(
            f"Received: rule {name}, wrong at character {at + 1}, marked by ^: {shown}. Expected: {problem.expected}."
        ) from None


class _Parser(Cursor):
    """Reads one rule from left to right."""

    _depth = 0

    def rule(self, name: str, text: str) -> Rule:
        """Read all of the text."""
        condition = self.condition()
        self._check_condition(condition, 0)
        after = self._span("after", STEPS, EPOCHS, SECONDS) if self.takes("after") else None
        lasting = self._span("for", STEPS, EPOCHS, SECONDS) if self.takes("for") else None
        if self.sees("after"):
            self.fail("after ... once, and before for ...")
        self.want("->", "an operator, after ..., for ..., or -> and an action such as -> stop")
        actions = [self._action()]
        while self.takes(","):
            actions.append(self._action())
        if self.peek().kind:
            self.fail("a comma and another action, or the end")
        return Rule(name, text, condition, after, lasting, tuple(dict.fromkeys(actions)))

    def _action(self) -> str:
        token = self.takes(*ACTIONS)
        if token:
            return token.text
        if not self.takes("command"):
            self.fail(f"an action: {', '.join(ACTIONS)} or command NAME")
        if self.peek().kind == QUOTED:
            return f"command {self.take().text}"
        return f"command {self._command_name()}"

    def _command_name(self) -> str:
        """Read a name such as page-me or tools/page.sh: words and signs without blanks between them."""
        if self.peek().kind != NAME:
            self.fail("the name of a command")
        name, end = "", self.peek().at
        while self.peek().at == end and (self.peek().kind in (NAME, NUMBER) or self.sees("-", "/")):
            token = self.take()
            name, end = name + token.text, end + len(token.text)
        return name

    def _span(self, word: str, *units: str) -> Span:
        amounts = (
            "20 epochs, 1000 steps, 30 s, 10 min or 2 h"
            if len(units) > 1
            else "30 s, 10 min or 2 h"
        )
        example = f"an amount with its unit: {word} {amounts}"
        if self.peek().kind != NUMBER:
            self.fail(example)
        amount = number(self)
        unit = self.peek()
        if unit.kind == NAME and unit.text in SECONDS_OF:
            self.take()
            return Span(amount * SECONDS_OF[unit.text], SECONDS)
        if unit.kind != NAME or UNITS.get(unit.text) not in units:
            self.fail(example)
        self.take()
        return Span(amount, UNITS[unit.text])

    def condition(self) -> Node:
        """Read conditions joined by `or`; a number alone where it stands in parentheses."""
        self._deeper()
        node = self._chain("or", lambda: self._chain("and", self._part))
        self._depth -= 1
        return node

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            self.fail(f"at most {DEEPEST} levels of parentheses, not and minus signs")

    def _chain(self, word: str, read: Callable[[], Node]) -> Node:
        at = self.peek().at
        node = read()
        while self.sees(word):
            self._check_condition(node, at)
            self.take()
            at = self.peek().at
            right = read()
            self._check_condition(right, at)
            node = Logic(word, node, right)
        return node

    def _part(self) -> Node:
        if not self.takes("not"):
            return self._comparison()
        self._deeper()
        at = self.peek().at
        node = self._part()
        self._depth -= 1
        self._check_condition(node, at)
        return Logic("not", node)

    def _check_condition(self, node: Node, at: int) -> None:
        if not is_condition(node):
            self.fail("a comparison such as loss > 3, not a number alone", at)

    def _check_number(self, node: Node, at: int) -> None:
        if is_condition(node):
            self.fail("a number here, not a condition", at)

    def _comparison(self) -> Node:
        if self.sees("no"):
            return self._nothing_new()
        at = self.peek().at
        left = self._sum()
        token = self.takes(*COMPARISONS)
        if token is None:
            return left
        self._check_number(left, at)
        at = self.peek().at
        right = self._sum()
        self._check_number(right, at)
        if self.sees(*COMPARISONS):
            self.fail("and between two comparisons, such as 0 < x and x < 1")
        return Comparison(token.text, left, right)

    def _nothing_new(self) -> Node:
        self.take()
        if self.takes("progress"):
            self.want("in", "in and a time, such as no progress in 20 min")
            return NoProgress(self._span("in", SECONDS))
        at = self.peek().at
        self.want("best", "no progress in 20 min, or no best(val_loss) in 15 epochs")
        self.want("(", "a variable in parentheses: no best(val_loss) in 15 epochs")
        name = read_variable(self)
        self.want(")", ") after the variable")
        wants = wants_of(self, "best", name, at)
        self.want("in", "in and a span, such as no best(val_loss) in 15 epochs")
        return NoBest(name, wants, self._span("in", EPOCHS, STEPS, SECONDS))

    def _sum(self) -> Node:
        return self._operations(("+", "-"), lambda: self._operations(("*", "/"), self._factor))

    def _operations(self, signs: tuple[str, ...], read: Callable[[], Node]) -> Node:
        at = self.peek().at
        node = read()
        while True:
            sign = self.takes(*signs)
            if sign is None:
                return node
            self._check_number(node, at)
            at = self.peek().at
            right = read()
            self._check_number(right, at)
            node = Arithmetic(sign.text, node, right)

    def _factor(self) -> Node:
        if not self.takes("-"):
            return self._value()
        self._deeper()
        at = self.peek().at
        node = self._factor()
        self._depth -= 1
        self._check_number(node, at)
        return Arithmetic("neg", node)

    def _value(self) -> Node:
        function = self.takes("abs") if self.sees("(", ahead=1) else None
        if not self.takes("("):
            return read_value(self)
        at = self.peek().at
        node = self.condition()
        self.want(")", "an operator or )")
        if function is None:
            return node
        self._check_number(node, at)
        return Arithmetic("abs", node)
