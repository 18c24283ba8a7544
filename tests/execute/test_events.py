"""Events as they lie in the store: whole lines, also of a run that several processes feed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ilmlip.errors import StoreError
from ilmlip.execute.events import Events, Mention
from ilmlip.plan.task import Task
from ilmlip.stages.probe import Params
from ilmlip.store import Failure, Store

WHAT: dict[str, Any] = {"study": "quick", "study_key": "abc", "spec": {}, "params": {}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Store(tmp_path).prepare()
    return tmp_path


def said(events: Events) -> list[dict[str, Any]]:
    lines = (events.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    for event in found:
        del event["time"]
    return found


def test_a_mention_says_what_a_task_says(root: Path) -> None:
    task = Task("train", 1, Params(name="a"), {}, about={"seed": 1})
    mention = Mention(task.key, "train", {"seed": 1})
    events = Events(root)
    events.start(**WHAT)
    for one in (task, mention):
        events.began(one)
        events.task(one)
        events.failed(one, Failure(task.key, "train", "loss is nan", "", "/log", 1.0))
    first = said(events)[1:]
    assert first[:3] == first[3:] and [e["event"] for e in first[:3]] == ["began", "task", "failed"]


def test_a_run_is_opened_again_by_another_process(root: Path) -> None:
    events = Events(root)
    events.start(detached=True, **WHAT)
    assert (events.folder / "detached").exists()
    assert (events.folder / "driver.pid").read_text(encoding="utf-8") == f"{os.getpid()}\n"
    events.leave()
    assert not (events.folder / "driver.pid").exists()
    code = (
        "import sys\nfrom pathlib import Path\nfrom ilmlip.execute.events import Events, Mention\n"
        "events = Events.reopen(Path(sys.argv[1]), sys.argv[2])\nevents.watch()\n"
        "events.task(Mention('train-k1-00', 'train', {}))\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(root), events.run])
    assert other.wait() == 0
    assert (events.folder / "driver.pid").read_text(encoding="utf-8") == f"{other.pid}\n"
    assert [event["event"] for event in said(events)] == ["start", "task"]


def test_only_a_run_that_began_is_opened_again(root: Path) -> None:
    for run in ("20260101-000000-abcd", ""):
        with pytest.raises(StoreError, match="no events of a run"):
            Events.reopen(root, run)


def test_half_a_line_spoils_no_other(root: Path) -> None:
    events = Events(root)
    events.start(**WHAT)
    with (events.folder / "events.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"event": "ta')
    Events.reopen(root, events.run).end("done", {})
    lines_ = (events.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert lines_[1] == '{"event": "ta' and json.loads(lines_[2])["event"] == "end"


def test_an_output_with_a_long_name_is_kept(tmp_path: Path) -> None:
    """Outputs are called after training sets: `parity_` and all of its compositions."""
    figure = tmp_path / "parity.png"
    figure.write_text("x", encoding="utf-8")
    events = Events(tmp_path)
    events.start()
    events.end("done", {"parity_" + "+".join(["composition"] * 40): str(figure)})
    last = (events.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    (kept,) = json.loads(last)["outputs"].values()
    assert (events.folder / kept).read_text(encoding="utf-8") == "x"
