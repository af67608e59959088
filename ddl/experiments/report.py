"""A store as one HTML file that can be mailed: no script is needed, nothing is loaded, every text is escaped.

    text = report_html(read_view(store), chosen)

The script in it sorts and filters the table where a reader allows scripts; the page forbids any other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ddl.experiments.pages.curves import COLOURS, Line, colour_of, draw_panel, points_of
from ddl.experiments.pages.markup import digest, file_text, tag, text
from ddl.experiments.pages.page_details import details_of
from ddl.experiments.pages.rows import (
    Row,
    parameter_names,
    read_row,
    result_columns,
    short,
)
from ddl.experiments.store.plain import in_order, totals
from ddl.experiments.store.view import ExperimentView, StoreView
from ddl.experiments.terminal.words import age, when

_MOST_PANELS = 12
_MOST_LINES = 100
_MOST_POINTS = 60_000
"""Of all panels together: the file stays small enough for a mail."""
_FEWEST_POINTS, _LINE_POINTS = 16, 300
_PAGES = "ddl.experiments.pages"


def report_html(view: StoreView, chosen: Sequence[ExperimentView]) -> str:
    """Return a report of experiments of a store."""
    rows = [read_row(item) for item in in_order(list(chosen))]
    style = file_text(_PAGES, "base.css") + file_text(_PAGES, "report.css")
    script = file_text(_PAGES, "report.js")
    policy = f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}"
    head = (
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(view.store.name)}: experiments</title>\n<style>{style}</style>\n"
    )
    body = tag("main", "\n".join([*_top(view, rows), _table(rows), *_curves(rows), *_each(rows)]))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{head}</head>\n<body>\n{body}\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _top(view: StoreView, rows: Sequence[Row]) -> Iterator[str]:
    items = [row.item for row in rows]
    about = dict.fromkeys(item.record.subject for item in items if item.record.subject)
    authors = dict.fromkeys(item.record.author for item in items if item.record.author)
    facts = [f"{len(items)} experiments", f"as of {when(view.now)}", str(view.store.path)]
    by = [f"by {', '.join(authors)}"] if authors else []
    yield tag(
        "header",
        tag("h1", text(view.store.name)) + tag("p", text(" · ".join([*about, *by, *facts]))),
    )
    chips = [
        tag("span", f"{count} {state}", class_=f"state s-{state}")
        for state, count in totals(items).items()
    ]
    yield tag("div", "".join(chips), class_="totals")
    for name, seen in view.nodes_seen.items():
        if not seen.get("reachable"):
            heard = age(view.now - float(seen.get("time") or view.now))
            told = f"Node {name} could not be reached {heard} ago: {seen.get('error') or ''}"
            yield tag("p", text(told), class_="faint")
    for name, reason in view.damaged.items():
        yield tag("p", text(f"{name} cannot be read: {reason}"), class_="s-failed")


def _table(rows: Sequence[Row]) -> str:
    differing, same = parameter_names([row.item for row in rows])
    results = result_columns(rows)
    heads = ["experiment", "state", "epoch", *differing, *results, "findings", "node", "why"]
    numeric = {"epoch", "findings", *results}
    head = "".join(
        tag("th", text(name), scope="col", class_="n" if name in numeric else None)
        for name in heads
    )
    body = "\n".join(tag("tr", _cells(row, differing, results)) for row in rows)
    table = tag(
        "table",
        tag("thead", tag("tr", head)) + f"<tbody>\n{body}\n</tbody>",
        id="experiments",
    )
    first = rows[0].item.record.parameters if rows else {}
    common = " · ".join(f"{name} {short(first.get(name))}" for name in same)
    return (
        '<input id="filter" placeholder="filter" aria-label="filter the table" hidden>'
        + tag("div", table, class_="scroll", tabindex="0")
        + (tag("p", f"The same in all: {text(common)}", class_="same") if common else "")
    )


def _cells(row: Row, parameters: Sequence[str], results: Sequence[str]) -> str:
    item = row.item
    of = f" of {item.epochs}" if item.epochs and item.epoch is not None else ""
    name = tag("a", text(item.name), href=f"#e{item.number}")
    cells = [
        tag("td", name, data_v=item.number),
        tag("td", tag("span", item.state, class_=f"state s-{item.state}")),
        tag("td", text(f"{short(item.epoch)}{of}"), class_="n", data_v=short(item.epoch)),
    ]
    for parameter in parameters:
        value = item.record.parameters.get(parameter)
        cells.append(tag("td", text(short(value)), data_v=value))
    for variable in results:
        result = row.results.get(variable)
        if result is None:
            cells.append(tag("td", "", class_="n"))
            continue
        best = tag("small", text(f"best {short(result.best)}")) if result.best is not None else ""
        shown = text(short(result.last)) + (best if result.best != result.last else "")
        cells.append(tag("td", shown, class_="n", data_v=result.last))
    cells.append(tag("td", text(item.findings_count or ""), class_="n"))
    cells.append(tag("td", text(item.node)))
    cells.append(tag("td", text(item.why), class_="why"))
    return "".join(cells)


def _curves(rows: Sequence[Row]) -> Iterator[str]:
    drawn = [row for row in rows if row.history]
    names = result_columns(drawn, most=10_000)
    if not names:
        return
    shown = sorted(drawn, key=lambda row: row.item.number)[:_MOST_LINES]
    panels = names[:_MOST_PANELS]
    most = max(_FEWEST_POINTS, min(_LINE_POINTS, _MOST_POINTS // (len(shown) * len(panels))))
    yield tag("h2", "Curves by epoch")
    if len(shown) <= 2 * COLOURS:
        yield tag("p", "".join(_key(place, row) for place, row in enumerate(shown)), class_="same")
    left_out = [
        f"{len(left)} {what}"
        for left, what in (
            (drawn[_MOST_LINES:], "experiments"),
            (names[_MOST_PANELS:], "variables"),
        )
        if left
    ]
    if left_out:
        yield tag("p", f"Not drawn: {' and '.join(left_out)}.", class_="faint")
    figures = [
        draw_panel(
            name,
            [
                Line(row.item.name, place, points_of(row.history, name, most))
                for place, row in enumerate(shown)
            ],
        )
        for name in panels
    ]
    yield tag("div", "\n".join(figures), class_="panels")


def _key(place: int, row: Row) -> str:
    line = f'<line x1="0" x2="22" y1="4" y2="4" class="{colour_of(place)}"/>'
    picture = tag("svg", line, class_="key", viewBox="0 0 22 8")
    return f"<span>{picture} {text(row.item.name)}</span> &emsp;"


def _each(rows: Sequence[Row]) -> Iterator[str]:
    yield tag("h2", "Experiments")
    for row in rows:
        yield details_of(row)
    yield tag("p", text(f"Written by ddl on {when(time.time())}."), class_="faint")
