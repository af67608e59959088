"""Write docs/numbers.md: every row of the proof that N ranks equal one, as measured on this machine.

python -m tests.distributed.make_numbers          # several minutes
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
from pathlib import Path

from tests.distributed import sabotage
from tests.distributed.cases import GROUPS, SUBSET, Case
from tests.distributed.test_numbers import BROKEN, LAUNCHES, Difference, Launch, difference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numbers.md"
TEXT = Path(__file__).with_name("numbers.md.in")


def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    for job in LAUNCHES:
        for case, precision in job.rows():
            print(
                f"{job}: {case.name}, {precision}: {difference(job, case, precision)}", flush=True
            )
    page = TEXT.read_text()
    for mark, make in {
        "{machine}": _machine,
        "{subset}": _subset,
        "{rows}": _rows,
        "{broken}": _broken,
    }.items():
        page = page.replace(mark, make())
    temporary = PAGE.with_suffix(".new")
    temporary.write_text(page)
    temporary.replace(PAGE)


def bare(line: str) -> str:
    """Return a line of the page without the figures that differ between processors."""
    line = re.sub(r"(float\w+: )\S+?e[+-]\d\d", r"\1#", line)
    return re.sub(r"\| \d\.\de[+-]\d\d \(.*\) \|$", "| # |", line)


def bare_page() -> list[str]:
    """Return the same lines of the page as it would be made now; the negative control with every row caught."""
    fixed = [line for line in TEXT.read_text().splitlines() if "{" not in line]
    broken = [
        f"| {words} | {n} | {n} | # |"
        for kind, words in sabotage.KINDS.items()
        for n in [len(_dependent(kind))]
    ]
    return [*fixed, *map(bare, _rows().splitlines()), *broken]


def _machine() -> str:
    names = ("tensorflow-cpu", "tensorflow", "keras", "horovod", "numpy")
    found = [(name, _version(name)) for name in names]
    versions = ", ".join(f"{name} {version}" for name, version in found if version)
    return f"{versions}; {os.cpu_count()} CPU cores, one thread a rank"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _subset() -> str:
    return f"{len(SUBSET)}"


def _rows() -> str:
    lines = []
    for title, cases in GROUPS.items():
        lines += [f"\n### {title}\n", "| row | compared | launches | largest difference | bound |"]
        lines += ["|---|---|---|---|---|", *(_line(case) for case in cases)]
    return "\n".join(lines)


def _line(case: Case) -> str:
    jobs = [job for job in LAUNCHES if case.name in job.cases]
    worst = {
        p: max((difference(j, case, p) for j in jobs if (case, p) in j.rows()), key=_largest)
        for p in case.precisions
    }
    figures = "<br>".join(f"{p}: {d.largest:.1e}" for p, d in worst.items())
    bounds = "<br>".join(f"{case.bound(p):.1e}" for p in case.precisions)
    arrays = next(iter(worst.values())).compared
    return (
        f"| {case.name} | {arrays} arrays{_details(case)} | {_names(jobs)} | {figures} | {bounds} |"
    )


def _largest(found: Difference) -> float:
    return found.largest


def _details(case: Case) -> str:
    weights = ", sample weights" if case.weighted else ""
    validation = f", {case.validation} to validate" if case.validation else ""
    return f"; {case.samples} samples in batches of {case.batch}{validation}{weights}; {case.model}, {case.optimizer}"


def _names(jobs: list[Launch]) -> str:
    return "all" if len(jobs) == len(LAUNCHES) else ", ".join(f"`{job}`" for job in jobs)


def _broken() -> str:
    lines = [
        "| what is broken | rows that depend on it | caught | smallest difference |",
        "|---|---|---|---|",
    ]
    for kind, words in sabotage.KINDS.items():
        rows = _dependent(kind)
        found = [(difference(BROKEN, case, p, kind).largest, case, p) for case, p in rows]
        caught = sum(largest > case.bound(p) for largest, case, p in found)
        least, case, precision = min(found, key=lambda item: item[0] / item[1].bound(item[2]))
        lines.append(
            f"| {words} | {len(rows)} | {caught} | {least:.1e} ({case.name}, {precision}) |"
        )
    return "\n".join(lines)


def _dependent(kind: str) -> list[tuple[Case, str]]:
    return [row for row in BROKEN.rows() if sabotage.concerns(kind, row[0], BROKEN.ranks)]


if __name__ == "__main__":
    main()
