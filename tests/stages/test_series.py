"""Derived series on the real frames of a classical trajectory, and the data sets made of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from ilmlip.chemistry.boxes import read, read_one, write
from ilmlip.errors import StageError
from ilmlip.spec import dft
from ilmlip.spec.derived import Aimd, Rattle, Relax, VolumeScan
from ilmlip.stages import atom, dataset, dataset_report, label, series, series_report
from ilmlip.stages.base import Given, Inputs

XTB = dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)
FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"
MOVES = {
    "aimd": (Aimd(steps=4), [0, 1, 2, 3, 4]),
    "relax": (Relax(steps=2), [0, 1, 2]),
    "volume_scan": (VolumeScan(densities=(0.6, 0.9), points=3), [0, 1, 2]),
    "rattle": (Rattle(amplitude=0.05, count=2), [0, 1]),
}


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Four frames of one LiPF6 pair."""
    folder = tmp_path_factory.mktemp("trajectory")
    frames = []
    for seed in range(4):
        frame = read_one(FRAME, 0)
        frame.rattle(0.05, seed=seed + 10)
        frames.append(frame)
    write(folder / "trajectory.extxyz", frames)
    return Given("sample-1", folder, {})


def do(stage, params, folder: Path, key: str, **roles) -> Given:
    """Run a stage as the worker does."""
    folder = folder / key
    folder.mkdir(parents=True)
    given = {r: (one if isinstance(one, tuple) else (one,)) for r, one in roles.items()}
    output = stage.run(params, Inputs(given), folder)
    for name in output.files:
        assert (folder / name).is_file()
    json.dumps(output.values, allow_nan=False)
    return Given(key, folder, output.values)


def params(kind: str, frame: int = 0) -> series.Params:
    heat = {"temperature": 300.0} if kind == "aimd" else {}
    return series.Params.model_validate(
        {"frame": frame, "xtb": XTB, kind: MOVES[kind][0], "seed": frame, **heat}
    )


@pytest.mark.parametrize("kind", MOVES)
def test_each_kind(kind: str, trajectory: Given, tmp_path: Path) -> None:
    made = do(series.STAGE, params(kind), tmp_path, kind, trajectory=trajectory)
    assert made.values["steps"] == MOVES[kind][1] and made.values["failed"] == {}
    frames = read(made.path / "series.extxyz")
    with (made.path / "series.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [frame.info["step"] for frame in frames] == MOVES[kind][1]
    for row, frame in zip(rows, frames, strict=True):
        assert float(row["energy_eV"]) == pytest.approx(frame.get_potential_energy(), abs=1e-6)
        largest = np.linalg.norm(frame.get_forces(), axis=1).max()
        assert float(row["max_force_eV_A"]) == pytest.approx(largest, rel=1e-6)
        bar = -frame.get_stress()[:3].mean() / 6.241509074460763e-07
        assert float(row["pressure_bar"]) == pytest.approx(bar, rel=1e-5)
        assert bool(row["temperature_K"]) == (kind == "aimd")


def test_a_step_has_the_label_of_a_task_of_its_own(trajectory: Given, tmp_path: Path) -> None:
    made = do(series.STAGE, params("aimd"), tmp_path, "aimd", trajectory=trajectory)
    last = read(made.path / "series.extxyz")[-1]
    single = tmp_path / "single"
    single.mkdir()
    write(single / "trajectory.extxyz", [last])
    alone = do(
        label.STAGE,
        label.Params(frame=0, xtb=XTB),
        tmp_path,
        "label",
        trajectory=Given("t", single, {}),
    )
    (own,) = read(alone.path / "frame.extxyz")
    assert own.get_potential_energy() == pytest.approx(last.get_potential_energy(), abs=1e-6)
    # positions are written with eight decimals
    assert np.abs(own.get_forces() - last.get_forces()).max() < 1e-5


def test_a_series_is_of_one_kind(trajectory: Given) -> None:
    with pytest.raises(ValidationError, match="exactly one of aimd, relax, volume_scan, rattle"):
        series.Params(frame=0, xtb=XTB)
    with pytest.raises(ValidationError, match="dynamics have a temperature"):
        series.Params(frame=0, xtb=XTB, aimd=Aimd(steps=2))


def test_what_does_not_converge_ends_dynamics_and_not_a_scan(
    trajectory: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tight binding is allowed two iterations for the third label."""
    from ilmlip.engines import xtb

    whole, calls = xtb.label, []

    def third_fails(*args, **more):
        calls.append(1)
        return whole(*args, **{**more, "max_iterations": 2 if len(calls) % 5 == 3 else 250})

    monkeypatch.setattr(xtb, "label", third_fails)
    made = do(series.STAGE, params("aimd"), tmp_path, "aimd", trajectory=trajectory)
    assert made.values["steps"] == [0, 1] and list(made.values["failed"]) == ["2"]
    calls.clear()
    scan = params("volume_scan").model_copy(
        update={"volume_scan": VolumeScan(densities=(0.6, 0.9), points=4)}
    )
    made = do(series.STAGE, scan, tmp_path, "scan", trajectory=trajectory)
    assert made.values["steps"] == [0, 1, 3]


def several(trajectory: Given, folder: Path) -> dict[str, tuple[Given, ...]]:
    """Four frames labelled, and dynamics from each of them."""
    labels = [
        do(label.STAGE, label.Params(frame=i, xtb=XTB), folder, f"label-{i}", trajectory=trajectory)
        for i in range(4)
    ]
    runs = [
        do(series.STAGE, params("aimd", i), folder, f"aimd-{i}", trajectory=trajectory)
        for i in range(4)
    ]
    return {"labels": tuple(labels), "aimd": tuple(runs)}


def test_a_data_set_of_frames_and_steps(trajectory: Given, tmp_path: Path) -> None:
    roles = several(trajectory, tmp_path)
    chosen = dataset.Params(role="train", validation_fraction=0.25, take={"aimd": (2, 4)})
    made = do(dataset.STAGE, chosen, tmp_path, "data", **roles)
    assert sum(made.values["frames"].values()) == 4 + 8
    train, held = (read(made.path / f"{part}.extxyz") for part in ("train", "val"))
    steps = [read(given.path / "series.extxyz") for given in roles["aimd"]]
    for run in steps:  # what comes from one run is on one side
        sides = [
            any(np.allclose(run[i].positions, frame.positions, atol=1e-7) for frame in train)
            for i in (2, 4)
        ]
        assert sides[0] == sides[1]
    energies = sorted(f.get_potential_energy() for f in (*train, *held))
    expected = [r[i].get_potential_energy() for r in steps for i in (2, 4)]
    expected += [read(g.path / "frame.extxyz")[0].get_potential_energy() for g in roles["labels"]]
    assert energies == pytest.approx(sorted(expected), abs=1e-7)

    chosen = chosen.model_copy(update={"origins": {"labels": (0, 1, 2, 3), "aimd": (0, 1, 2, 3)}})
    whole = do(dataset.STAGE, chosen, tmp_path, "whole", **roles)
    assert whole.values["frames"] == {"train": 9, "val": 3}  # one frame with all that comes from it
    held = read(whole.path / "val.extxyz")
    (own,) = [
        i
        for i, given in enumerate(roles["labels"])
        if np.allclose(read(given.path / "frame.extxyz")[0].positions, held[0].positions)
    ]
    for frame, step in zip(held[1:], (2, 4), strict=True):
        assert np.allclose(frame.positions, steps[own][step].positions, atol=1e-7)

    report = do(dataset_report.STAGE, dataset_report.Params(), tmp_path, "report", dataset=made)
    assert report.values["frames"] == 12 and report.values["elements"] == ["F", "Li", "P"]
    only = report.values["compositions"]["F6Li1P1"]
    assert only["frames"] == made.values["frames"]
    lines = (report.path / "frames.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 13
    drawn = do(
        series_report.STAGE,
        series_report.Params(kind="aimd", take=(2, 4)),
        tmp_path,
        "drawn",
        series=roles["aimd"],
    )
    assert drawn.values["series"] == 4
    assert (
        len((drawn.path / "series_aimd.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4 * 5
    )


def test_a_step_that_is_not_there_is_missing(trajectory: Given, tmp_path: Path) -> None:
    roles = several(trajectory, tmp_path)
    chosen = dataset.Params(role="test", take={"aimd": (4, 9)})
    with pytest.raises(StageError, match=r"only 4 of 8 steps of aimd .* aimd-0 step 9"):
        dataset.STAGE.run(chosen, Inputs(roles), tmp_path)
    output = dataset.STAGE.run(chosen, Inputs(roles, how={"quorum": 0.5}), tmp_path)
    assert output.values["missing"] == [f"aimd-{i} step 9" for i in range(4)]
    assert output.values["frames"] == {"test": 8}


def test_a_single_atom(tmp_path: Path) -> None:
    """Hydrogen by GFN1-xTB: a single 1s electron at -0.4014 hartree."""
    chosen = atom.Params(element="H", box=30.0, xtb=XTB)
    made = do(atom.STAGE, chosen, tmp_path, "H")
    assert made.values["element"] == "H"
    assert made.values["energy"] == pytest.approx(-0.4014 * 27.2114, abs=0.03)
    with pytest.raises(ValidationError, match="exactly one of"):
        atom.Params(element="H", box=30.0)
