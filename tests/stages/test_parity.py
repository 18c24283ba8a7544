"""Parity plots of a model's evaluations: which numbers stand in them."""

import numpy as np
import pytest
import toy

from ilmlip.report.parity import pairs
from ilmlip.stages import parity
from ilmlip.stages.base import Given


def evaluation(folder, seed, frames=4):
    """Arrays as an evaluation leaves them: three atoms a frame, one of Li and two of F."""
    rng = np.random.default_rng(seed)
    forces = rng.normal(size=(3 * frames, 3))
    stress = rng.normal(size=(frames, 6)) * 1e-3
    stress[0] = np.nan
    energy = rng.normal(size=frames) - 30 * seed
    folder.mkdir()
    np.savez(
        folder / "predictions.npz",
        n_atoms=np.full(frames, 3),
        energy=energy + 0.03,
        energy_reference=energy,
        forces=forces + 0.01,
        forces_reference=forces,
        stress=np.nan_to_num(stress),
        stress_reference=stress,
        symbols=np.array(["Li", "F", "F"] * frames),
        atomic_energy=np.zeros(3 * frames),
    )
    return Given(f"evaluate-{seed}", folder, {})


def test_panels_hold_every_number_of_every_set(tmp_path):
    given = [evaluation(tmp_path / str(seed), seed) for seed in (1, 2)]
    work = tmp_path / "work"
    work.mkdir()
    params = parity.Params(title="Trained on 0.4, seed 1")
    made = parity.run(params, toy.inputs(evaluations=given), work)
    assert made.values["shown"] == {
        "Energy about its set's mean": 8, "Stress": 36, "Forces on F": 48, "Forces on Li": 24
    }  # fmt: skip
    assert (work / "parity.png").stat().st_size > 20_000
    arrays = [dict(np.load(one.path / "predictions.npz")) for one in given]
    energy, stress, fluorine, _ = pairs(arrays)
    assert energy.mae() == pytest.approx(10)  # meV/atom
    assert np.abs(energy.labelled).max() < 3  # each set about its own mean
    assert stress.mae() == pytest.approx(0)
    assert fluorine.mae() == pytest.approx(10)


def test_labels_without_stress_have_no_panel_of_it(tmp_path):
    arrays = dict(np.load(evaluation(tmp_path / "1", 1).path / "predictions.npz"))
    arrays["stress_reference"] = np.full((4, 6), np.nan)
    assert [one.title for one in pairs([arrays])][:2] == [
        "Energy about its set's mean", "Forces on F"
    ]  # fmt: skip
