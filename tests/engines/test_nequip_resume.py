"""A training that is killed goes on, and ends as if nothing had been."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from command import PATIENCE
from test_qe_restart import lives

from ilmlip.engines import nequip, nequip_resume, nequip_weights
from ilmlip.engines.nequip_config import TRAIN_FILE, VAL_FILE
from ilmlip.errors import StageError

pytest_plugins = ("toy_fixtures",)
SHIFTS = {"F": -0.5, "K": 0.1, "Li": -1.0, "P": -0.7}
STEPS = 300
FALLING = {
    "schedule": "plateau",
    "plateau_patience": 1,
    "plateau_factor": 0.9,
    "learning_rate": 0.02,
}
"""Every second epoch counts."""


def prepared(folder: Path, training, toy_sets) -> Path:
    folder.mkdir()
    for name in (TRAIN_FILE, VAL_FILE):
        shutil.copy(toy_sets["train"].path / name, folder)
    nequip.write(training, SHIFTS, folder)
    return folder


def kill_after(folder: Path, sign: Path) -> None:
    """Train in a process of its own, and kill that once a file is there."""
    code = "from pathlib import Path; from ilmlip.engines import nequip; nequip.train(Path.cwd())"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=os.environ)
    end = time.monotonic() + PATIENCE
    while not sign.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)  # a few epochs more
    assert process.poll() is None
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while any(map(lives, below)):  # nequip-train dies with its parent
        assert time.monotonic() < end
        time.sleep(0.02)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / nequip.CURVE).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow  # tests/execute/test_goes_on.py has a quicker one
@pytest.mark.engine
@pytest.mark.parametrize(
    "own",
    [{}, {"ema_decay": 0.9}, FALLING],
    ids=["cosine", "averaged", "plateau"],
)
def test_killed_and_gone_on_is_as_never_killed(smoke_model, toy_sets, tmp_path, own):
    training = smoke_model.model_copy(update={"max_steps": STEPS, **own}).training(3)
    whole = prepared(tmp_path / "whole", training, toy_sets)
    assert nequip.train(whole)[1] is None
    first = prepared(tmp_path / "first", training, toy_sets)
    kill_after(first, first / nequip_weights.CHECKPOINT)
    second = prepared(tmp_path / "second", training, toy_sets)
    curve, begun = nequip.train(second, first)
    assert begun is not None and 0 < begun < STEPS
    assert "ckpt_path" not in (second / "config.yaml").read_text(encoding="utf-8")
    assert curve[-1]["step"] == STEPS
    found, expected = rows(second), rows(whole)
    last = begun // 4 - 1  # of four steps an epoch: killed between its checkpoint and its loss
    found[last]["train_loss"] = found[last]["train_loss"] or expected[last]["train_loss"]
    assert found == expected
    for folder in (whole, second):
        assert nequip_weights.export(folder, training) == STEPS
    with np.load(whole / "weights.npz") as one, np.load(second / "weights.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one)
    # a finished model is not gone on from, but what it had begun with is
    third = prepared(tmp_path / "third", training, toy_sets)
    assert nequip_resume.take_over(second, third) == begun


@pytest.mark.slow
@pytest.mark.engine
def test_all_steps_done_before_it_was_killed(smoke_model, toy_sets, tmp_path):
    training = smoke_model.model_copy(update={"max_steps": 8}).training(3)
    first = prepared(tmp_path / "first", training, toy_sets)
    curve, _ = nequip.train(first)
    second = prepared(tmp_path / "second", training, toy_sets)
    again, begun = nequip.train(second, first)
    assert begun == 8
    assert again == curve
    assert nequip_weights.export(second, training) == nequip_weights.export(first, training) == 8


@pytest.mark.engine
def test_what_is_not_gone_on_from(smoke_model, toy_sets, tmp_path):
    """Another config, other frames, half a file, spoilt weights: each begins anew."""
    training = smoke_model.model_copy(update={"max_steps": 8}).training(3)
    first = prepared(tmp_path / "first", training, toy_sets)
    nequip.train(first)
    same = prepared(tmp_path / "same", training, toy_sets)
    assert nequip_resume.take_over(first, same) == 8
    other = training.model_copy(update={"learning_rate": 0.02})
    assert nequip_resume.take_over(first, prepared(tmp_path / "other", other, toy_sets)) is None
    fewer = tmp_path / "fewer"
    prepared(fewer, training, toy_sets)
    lines = (fewer / TRAIN_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    (fewer / TRAIN_FILE).write_text("".join(lines[int(lines[0]) + 2 :]), encoding="utf-8")
    nequip.write(training, SHIFTS, fewer)
    assert nequip_resume.take_over(first, fewer) is None
    checkpoint = first / nequip_weights.CHECKPOINT
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    assert nequip_resume.take_over(first, prepared(tmp_path / "half", training, toy_sets)) is None
    nequip_resume.forget(same)
    assert nequip_resume.take_over(same, prepared(tmp_path / "anew", training, toy_sets)) is None


@pytest.mark.engine
def test_a_loss_that_is_no_number_leaves_nothing_to_go_on_from(smoke_model, toy_sets, tmp_path):
    """The loss of float32 overflows; the step and both frames of the batch are named."""
    weights = {"force": 1e38, "energy": 1e38}
    loss = smoke_model.loss.model_copy(update=weights)
    own = {"max_steps": 8, "learning_rate": 1.0, "loss": loss, "dtype": "float32"}
    training = smoke_model.model_copy(update=own).training(3)
    folder = prepared(tmp_path / "work", training, toy_sets)
    text = (folder / TRAIN_FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    size = int(text[0]) + 2
    frames = [text[i : i + size] for i in range(0, len(text), size)]
    words = ["energy=1e300" if w.startswith("energy=") else w for w in frames[2][1].split(" ")]
    frames[2][1] = " ".join(words)
    (folder / TRAIN_FILE).write_text(
        "".join(line for frame in frames for line in frame), encoding="utf-8"
    )
    nequip.write(training, SHIFTS, folder)
    with pytest.raises(
        StageError, match=r"the loss is (inf|nan) at step \d+, with frames .*2"
    ) as e:
        nequip.train(folder)
    assert "(from 0) of train.extxyz; look at them, or lower model.learning_rate" in e.value.reason
    assert not (folder / nequip_weights.CHECKPOINT).exists()
