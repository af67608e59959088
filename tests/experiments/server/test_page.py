"""The live page in a real Chromium: what is new shows, texts are texts, buttons act, a restart is survived."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ddl.experiments.command import main
from ddl.experiments.report import report_html
from tests.experiments.made_store import MadeStore
from tests.experiments.server.serving import free_port, serving

EVIL = "<script>window.ran = true</script><img src=x onerror=window.ran=true>"


def made_in(folder: Path) -> MadeStore:
    (folder / "experiments").mkdir()
    return MadeStore(folder / "experiments" / "cells")


def rows(epochs: int, *, factor: float = 1.0) -> list[dict[str, Any]]:
    return [
        {"epoch": n, "time": 1.0 * n, "attempt": 1, "loss": factor / n, "val_dice": 1 - 1 / (n + 1)}
        for n in range(1, epochs + 1)
    ]


def line(page: Page, number: int) -> Any:
    return page.locator(f'#experiments tbody tr[data-n="{number}"]')


def wait_for_curves(page: Page, lines: int, points: int) -> None:
    page.wait_for_function(
        "([lines, points]) => { const p = document.querySelector('.panel'); return p && p.dataset.lines == lines "
        "&& p.dataset.points == points; }",
        arg=[lines, points],
    )


def test_a_new_epoch_shows_within_3_s_in_the_table_and_in_the_curves(
    tmp_path: Path, page: Page
) -> None:
    made = made_in(tmp_path)
    folder = made.experiment("running", {"lr": 0.1, "epochs": 50})
    made.experiment("finished", {"lr": 0.2, "epochs": 50})
    made.history(folder, rows(4))
    with serving(made.path) as server:
        page.goto(server.url)
        expect(line(page, 1)).to_contain_text("4 of 50")
        wait_for_curves(page, 1, 4)
        for epochs in (5, 6):
            start = time.monotonic()
            made.history(folder, rows(epochs))
            expect(line(page, 1)).to_contain_text(f"{epochs} of 50")
            wait_for_curves(page, 1, epochs)
            assert time.monotonic() - start < 3
        heads = page.locator("#experiments thead th").all_inner_texts()
        assert heads[1:7] == ["experiment", "state", "epoch", "lr", "val_dice", "loss"]
        assert "token" not in page.url


def test_what_strangers_wrote_is_text_everywhere(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    folder = made.experiment(
        "failed", {EVIL: EVIL, "lr": 1}, name="001-<script>alert(1)<script>", subject=EVIL
    )
    made.experiment("queued", {EVIL: "x", "lr": 1}, name="002-<b>bold<b>")
    attempt = folder.attempt(1)
    attempt.err_log.write_text(EVIL + "\n")
    attempt.findings.write_text(json.dumps({"rule": EVIL, "text": EVIL, "epoch": EVIL}) + "\n")
    made.end(attempt, "crashed", why=EVIL)
    made.history(folder, [{"epoch": 1, EVIL: 1.0}, {"epoch": 2, EVIL: 2.0}])
    made.seen("here", reachable=False, error=EVIL)
    with serving(made.path) as server:
        page.goto(server.url)
        expect(line(page, 1)).to_contain_text("<script>alert(1)<script>")
        wait_for_curves(page, 1, 2)
        line(page, 1).locator("td.name a").click()
        expect(page.locator("#log")).to_have_text(EVIL)
        assert page.locator("#details").inner_text().count("<script>window.ran") >= 5
        assert page.evaluate("window.ran") is None
        assert page.locator("img, b, main script").count() == 0


def test_stop_takes_two_clicks_and_retry_one(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    running = made.experiment("queued", {"lr": 1})
    failed = made.experiment("failed", {"lr": 2})
    with serving(made.path) as server:
        page.goto(server.url)
        line(page, 1).locator("td.name a").click()
        stop = page.locator("#details [data-wish=stop]")
        stop.click()
        expect(stop).to_have_text("really stop?")
        assert json.loads(running.wanted.read_text())["want"] == "run"
        stop.click()
        expect(line(page, 1)).to_contain_text("stopped")
        assert json.loads(running.wanted.read_text())["want"] == "stop"
        line(page, 2).locator("input").check()
        page.locator("#acts [data-wish=retry]").click()
        expect(page.locator("#told")).to_contain_text("lr2")
        assert json.loads(failed.wanted.read_text())["tries"] == 1


@pytest.mark.proof
def test_without_the_token_it_asks_and_nothing_changes(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    failed = made.experiment("failed", {"lr": 2})
    before = failed.wanted.read_text()
    with serving(made.path) as server:
        page.goto(server.page)
        line(page, 1).locator("td.name a").click()
        page.locator("#details [data-wish=retry]").click()
        page.locator("#token").fill("guessed")
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("#told")).to_contain_text("another one")
        assert failed.wanted.read_text() == before


def test_the_page_survives_a_restart_of_its_server(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    folder = made.experiment("running", {"lr": 1, "epochs": 9})
    made.history(folder, rows(2))
    port = free_port()
    with serving(made.path, port) as server:
        page.goto(server.url)
        expect(page.locator("#connection")).to_have_text("live")
        page.locator("#filter").fill("lr=1")
    expect(page.locator("#connection")).to_contain_text("gone")
    made.history(folder, rows(3))
    with serving(made.path, port):
        expect(page.locator("#connection")).to_have_text("live")
        expect(line(page, 1)).to_contain_text("3 of 9")
        assert page.locator("#filter").input_value() == "lr=1"
        made.history(folder, rows(4))
        expect(line(page, 1)).to_contain_text("4 of 9")


@pytest.mark.proof
def test_the_table_sorts_and_filters(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    for lr in (0.1, 10, 0.02):
        made.experiment("planned", {"lr": lr})
    made.experiment("failed", {"lr": 5})
    with serving(made.path) as server:
        page.goto(server.url)
        page.locator("#experiments thead button", has_text="lr").click()
        expect(page.locator("#experiments tbody tr").nth(0)).to_have_attribute("data-n", "3")
        page.locator("#filter").fill("state=planned lr<1")
        expect(page.locator("#count")).to_have_text("2 of 4")
        page.locator("#filter").fill("")
        page.locator("#totals button", has_text="1 failed").click()
        expect(page.locator("#experiments tbody tr:visible")).to_have_count(1)


def test_the_report_sorts_by_its_own_script_and_loads_nothing(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    for lr in (0.1, 10, 0.02):
        made.history(made.experiment("finished", {"lr": lr}), rows(5))
    made.experiment("failed", {"lr": 5}, name="004-<script>alert(1)<script>")
    report = tmp_path / "report.html"
    view = made.view()
    report.write_text(report_html(view, view.experiments))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    names = page.locator("#experiments tbody tr td:first-child")
    assert names.all_inner_texts()[0] == "004-<script>alert(1)<script>"
    page.locator("#experiments thead button", has_text="lr").click()
    assert [name[:3] for name in names.all_inner_texts()] == ["003", "001", "004", "002"]
    page.locator("#filter").fill("finished")
    assert page.locator("#experiments tbody tr:visible").count() == 3
    assert asked == [report.as_uri()]


SPEC = """
name: cells
command: sh {script} {{n}}
parameters: {{n: {{grid: [1, 2]}}}}
variables: {{from: stdout, pattern: "epoch {{epoch}} loss {{loss}}"}}
"""
SCRIPT = """
trap 'exit 75' TERM
for epoch in $(seq 1 500); do echo "epoch $epoch loss 0.$epoch"; sleep 0.2; done
"""


@pytest.mark.proof
def test_a_real_training_run_is_followed_and_stopped(
    tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDL_NODE_HOME", str(tmp_path / "node"))
    script, spec = tmp_path / "train.sh", tmp_path / "cells.yaml"
    script.write_text(SCRIPT)
    spec.write_text(SPEC.format(script=script))
    store = tmp_path / "experiments" / "cells"
    assert main("doc", ["submit", str(spec)]) == 0
    try:
        with serving(store, home=tmp_path / "node") as server:
            page.goto(server.url)
            expect(line(page, 1).locator("td").nth(3)).to_have_text(re.compile("^[1-9]"))
            expect(line(page, 2)).to_contain_text("waiting")
            page.locator("#choose").click()
            stop = page.locator("#acts [data-wish=stop]")
            stop.click()
            stop.click()
            for number in (1, 2):
                expect(line(page, number)).to_contain_text("stopped", timeout=60_000)
    finally:
        main("doc", ["stop", "*", "--store", str(store)])
    assert (
        str(script)
        not in subprocess.run(
            ["ps", "axww"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    )


@pytest.mark.proof
def test_50_curves_of_1000_points_are_drawn_in_under_100_ms(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    for number in range(50):
        folder = made.experiment("running", {"lr": number})
        made.history(folder, rows(1000, factor=1 + number))
    drawn = []
    with serving(made.path) as server:
        page.goto(server.url)
        expect(page.locator("#count")).to_have_text("50")
        page.locator("#choose").click()
        wait_for_curves(page, 50, 1000)
        for _ in range(5):
            page.locator("#clear").click()
            page.locator("#choose").click()
            wait_for_curves(page, 50, 1000)
            drawn.append(float(page.locator(".panel").first.get_attribute("data-draw-ms") or "inf"))
    assert min(drawn) < 100, drawn


@pytest.mark.proof
def test_a_table_of_1000_experiments_opens_and_follows(tmp_path: Path, page: Page) -> None:
    made = made_in(tmp_path)
    folders = [made.experiment("running", {"lr": number}) for number in range(1000)]
    for folder in folders[:200]:
        made.history(folder, rows(100))
    with serving(made.path) as server:
        page.goto(server.url)
        expect(page.locator("#count")).to_have_text("1000", timeout=30_000)
        made.history(folders[7], rows(101))
        start = time.monotonic()
        expect(line(page, 8)).to_contain_text("101", timeout=15_000)
        assert time.monotonic() - start < 10
