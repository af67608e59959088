"""Print the facts that a bug report needs, and check whether training on several ranks works here.

    python -m ddl.doctor            as text; starts two ranks, takes about 15 s, on a busy machine at most 7 minutes
    python -m ddl.doctor --json     as JSON, for programs
    python -m ddl.doctor --report runs/cells
                                    pack a support ticket from a run directory: cells-report.tar.gz, without data,
                                    weights and secrets

The exit status is 0 if training works, 1 if not. Every failed check prints what to do.
"""

from __future__ import annotations

import ddl.command_ends  # noqa: F401 (first: Ctrl-C while the rest loads is one line, too)

# isort: split
import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddl.doctor import checks, facts, report
from ddl.doctor.masking import Mask
from ddl.doctor.waiting import waiting_for
from ddl.plain_text import escaped, escaped_lines, tell


def build_parser() -> argparse.ArgumentParser:
    """Return the command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m ddl.doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--json", action="store_true", help="print one JSON object")
    ways.add_argument(
        "--report", type=Path, metavar="RUN_DIR", help="pack a support ticket; starts no ranks"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = build_parser().parse_args(argv)
    if options.report is not None:
        return pack_report(options.report)
    with waiting_for("importing TensorFlow and Horovod", facts.IMPORT_TIMEOUT_S):
        collected = facts.collect()
    results = checks.of_facts(collected)
    if not options.json:
        print("\n".join(describe(collected)), "\n", flush=True)
    results += checks.of_ranks(collected)
    works = all(result.ok for result in results)
    if options.json:
        report = {"works": works, "facts": collected, "checks": [asdict(r) for r in results]}
        print(json.dumps(report, indent=2))
    else:
        print("\n".join(verdict(results)))
    return 0 if works else 1


def pack_report(run_dir: Path) -> int:
    """Write a support ticket, and say what is in it; return the exit status: 2 for a folder that is no run."""
    try:
        report.check_report(run_dir)
        with waiting_for("importing TensorFlow and Horovod", facts.IMPORT_TIMEOUT_S):
            collected = facts.collect()
        failed = [asdict(check) for check in checks.of_facts(collected) if not check.ok]
        mask = Mask(os.environ, Path.home())
        lines = report.write_report(run_dir, {**collected, "failed_checks": failed}, mask)
    except ValueError as error:
        tell(f"doctor: {error}")
        return 2
    except OSError as error:
        tell(f"doctor: Could not write {report.report_path(run_dir)}: {error.strerror or error}.")
        return 1
    print(escaped_lines("\n".join(lines)))
    print(escaped(f"{report.report_path(run_dir)} is written. Look at it before you send it."))
    return 0


def describe(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the facts as lines of text."""
    built_for = facts["built_for"]
    yield _line("versions", facts["versions"])
    yield _line("Horovod", {k: v for k, v in facts["horovod"].items() if k != "gpus"})
    if built_for:
        tensorflow, compiler = built_for["tensorflow"], built_for["compiler"]
        yield f"{'':10}built for {tensorflow['distribution']} {tensorflow['version']} by {compiler['version']}"
        yield _line("", {f"MPI {k}": v for k, v in built_for["mpi"].items() if v and k != "link"})
    yield _line("MPI", facts["mpi"] or {"mpirun": "none"})
    seen = ", ".join(facts["horovod"].get("gpus", [])) or "none"
    yield _line("GPUs", {"driver": ", ".join(facts["gpus"]) or "none", "TensorFlow": seen})
    cores = facts["cores"]
    yield _line("cores", {k: v for k, v in cores.items() if k != "threads_per_rank"})
    threads = [f"{t} with {n} rank(s)" for n, t in cores["threads_per_rank"].items()]
    yield f"{'':10}threads per rank: {', '.join(threads)}"
    yield f"{'memory':10}{facts['memory_gb']} GB available"
    for index, (name, value) in enumerate(facts["settings"].items()):
        yield f"{'settings' if index == 0 else '':10}{name}={value}"


def _line(title: str, values: Mapping[str, Any]) -> str:
    return f"{title:10}" + ", ".join(f"{name} {value}" for name, value in values.items())


def verdict(results: list[checks.Check]) -> Iterator[str]:
    """Yield a line for each check, the remedies, and the conclusion."""
    for result in results:
        yield f"{'ok' if result.ok else 'FAILED':8}{result.name}: {result.finding}"
        if not result.ok:
            yield f"{'':8}-> {result.remedy}"
    works = "works" if all(result.ok for result in results) else "does not work"
    yield f"\nTraining on several ranks {works} here."


if __name__ == "__main__":
    sys.exit(main())
