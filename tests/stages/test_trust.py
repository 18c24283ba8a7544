"""The spread of a committee along a run beside its error, on predictions whose answer is known."""

import csv
from pathlib import Path

import numpy as np
import pytest
import toy
from ase.io import write

from ilmlip.stages import trust
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.md_report import Described

RUNS = tuple(
    Described(model="0.4", seed=1, composition="1.0", kind="nvt", temperature=300.0, replica=i)
    for i in range(2)
)


def made_up(folder: Path, factor: float) -> tuple[Given, Given]:
    """Five frames out of order in time; spreads that grow with time, errors `factor` times as large."""
    folder.mkdir()
    times = [40.0, 10.0, 20.0, 30.0, 50.0]
    frames = [toy.frame({"Li": 4, "PF": 4}, i) for i in range(5)]
    for atoms, time in zip(frames, times, strict=True):
        atoms.info["time_fs"] = time
    write(folder / "test.extxyz", frames, format="extxyz")
    atoms = np.repeat(times, 12) + np.tile(0.5 * np.arange(12.0), 5)  # no two alike
    spread = np.zeros((60, 3))
    spread[:, 0] = 1e-3 * atoms  # of the vector, meV/Å: time plus half the number
    reference = np.random.default_rng(1).normal(size=(60, 3))
    forces = reference.copy()
    forces[:, 2] += factor * 1e-3 * atoms
    np.savez(
        folder / "predictions.npz", forces=forces, forces_reference=reference, forces_spread=spread,
        n_atoms=np.full(5, 12),
    )  # fmt: skip
    return Given(f"committee-{factor}", folder, {}), Given(f"dataset-{factor}", folder, {})


def test_errors_that_the_spread_ranks_and_is_too_small_for(tmp_path: Path) -> None:
    committee, data = made_up(tmp_path / "one", 2.0)
    inputs = Inputs(
        {"committee": (committee,), "dataset": (data, data)}, places={"committee": (1,)}
    )
    output = trust.run(trust.Params(runs=RUNS), inputs, tmp_path)
    assert output.values["runs"] == 1
    assert output.values["calibration"] == pytest.approx(2.0)
    assert output.values["spearman_atoms"] == pytest.approx(1.0)
    assert output.values["spearman_frames"] == pytest.approx(1.0)
    rows = list(
        csv.DictReader((tmp_path / "committee.csv").read_text(encoding="utf-8").splitlines())
    )
    assert [row["time_fs"] for row in rows] == ["10", "20", "30", "40", "50"]
    expected = np.sqrt(np.mean((10 + 0.5 * np.arange(12.0)) ** 2))
    assert float(rows[0]["spread_meV_A"]) == pytest.approx(expected, rel=1e-5)
    assert float(rows[0]["error_meV_A"]) == pytest.approx(2 * expected, rel=1e-5)
    page = (tmp_path / "committee.md").read_text(encoding="utf-8")
    assert "replica 1" in page and "1 run has no labelled frames" in page
    assert (tmp_path / "committee.png").stat().st_size > 5000


def test_no_run_at_all(tmp_path: Path) -> None:
    output = trust.run(trust.Params(runs=RUNS), Inputs({}), tmp_path)
    assert output.values == {"runs": 0}
