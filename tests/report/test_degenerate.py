"""Figures of data that leave nothing to see: constant, one point, zero, not finite, none at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilmlip.chemistry.labelled import Frame
from ilmlip.report import active, dataset, parity, runs, trust, validation
from ilmlip.report.active import Turn
from ilmlip.report.parity import Pairs
from ilmlip.report.runs import Course
from ilmlip.report.trust import Trusted
from ilmlip.report.validation import Validated

NAN = float("nan")


def frame(edge: float = 8.0, energy: float = -1.0, force: float = 0.0) -> Frame:
    return Frame(
        symbols=("Li", "Cl"),
        positions=np.array([[0.0, 0, 0], [2.3, 0, 0]]),
        cell=edge * np.eye(3),
        energy=energy,
        forces=np.full((2, 3), force),
        ion_ids=np.array([0, 1]),
        ion_types=("Li", "Cl"),
        stress=None,
    )


@pytest.mark.parametrize(
    "frames",
    [
        [frame()],
        [frame(), frame()],
        [frame(8.0 * (1 + k * 2e-16), -1.0 + k * 1e-16, 1e-17 * k) for k in range(5)],
        [frame(8.0, -1e6 + k * 1e-10, 0.3) for k in range(5)],
        [frame(8.0 + k, -1.0 + k, 0.1 * k) for k in range(5)],
    ],
)
def test_a_data_set_whose_values_differ_by_rounding(frames: list[Frame], tmp_path: Path) -> None:
    found = dataset.contents({"train": frames})
    dataset.draw(tmp_path / "a.png", found)
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert "NaN" not in dataset.page(dataset.summary(found))


def test_bars_of_values_that_are_alike_are_one() -> None:
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    for values, bars in (
        ([1.0, 1.0 + 2e-16], 1), ([1.0, NAN, np.inf], 1), ([0.0], 1), ([1.0, 2.0], 24), ([NAN], 0),
        ([1e9, 1e9 + 1e-3], 1), ([], 0),
    ):  # fmt: skip
        axis.clear()
        dataset.bars(axis, np.array(values), 24, least=1e-6)
        drawn = [len(patch.get_xy()) for patch in axis.patches]
        assert drawn == ([2 * bars + 2] if bars == 1 else drawn) and bool(drawn) == bool(bars)


@pytest.mark.parametrize(
    ("labelled", "predicted"),
    [([1690.0] * 3, [1690.0 + 2e-13] * 3), ([0.0], [0.0]), ([1.0, 2.0], [NAN, NAN]), ([1.0], [NAN]),
     ([5.0, 5.0], [5.0, NAN])],
)  # fmt: skip
def test_parity(labelled: list[float], predicted: list[float], tmp_path: Path) -> None:
    panel = Pairs("Energy", "eV/atom", np.array(labelled), np.array(predicted))
    parity.draw(tmp_path / "a.png", [panel], "a model")


@pytest.mark.parametrize("value", [0.0, NAN, 12.0, -1.0])
def test_rounds_of_active_learning(value: float, tmp_path: Path) -> None:
    turn = Turn("spread", "0.4", "0.4", 1, 10, 2, (value, 0.0), (value, 0.0), 2, value, value,
                (1, 1), "", False)  # fmt: skip
    active.draw(tmp_path / "a.png", [turn])


@pytest.mark.parametrize("values", [[], [300.0], [300.0, 300.0], [NAN, NAN]])
def test_runs(values: list[float], tmp_path: Path) -> None:
    columns = {name: np.array(values) for name, _ in runs.SHOWN}
    columns["time_fs"] = np.arange(len(values), dtype=float)
    course = Course("a", {}, {"n_atoms": 2, "stable": True}, columns)
    runs.draw(tmp_path / "a.png", [course])


def test_committees_and_validation(tmp_path: Path) -> None:
    zero = np.zeros(1)
    none = np.zeros(0)
    for one, bins in ((zero, (zero, zero)), (zero + NAN, (none, none))):
        made = Trusted("a", {}, zero, one, one, None, None, NAN, bins)
        trust.draw(tmp_path / "a.png", [made])
    errors = dict.fromkeys(("energy_mae", "energy_mae_about_mean", "force_mae"), (0.0, 0.0))
    course = Validated("a", {}, errors, zero, zero, zero)
    validation.draw(tmp_path / "b.png", [course])
    assert "× inf" in validation.page([course], 0)
