"""A committee of two models that nequip really trained, on one test set."""

import contextlib
import json

import numpy as np
import pytest
import toy

from ilmlip.stages import committee, evaluate, train
from ilmlip.stages.base import Given

pytest_plugins = ("toy_fixtures",)


@pytest.mark.engine
def test_mean_and_spread_of_two_members(trained, smoke_model, toy_sets, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with contextlib.chdir(other):
        params = train.Params(training=smoke_model.training(2))
        train.run(params, toy.inputs(dataset=toy_sets["train"]), other)
    members = []
    for i, folder in enumerate((trained.path, other)):
        work = tmp_path / str(i)
        work.mkdir()
        given = toy.inputs(model=Given("train-x", folder, {}), dataset=toy_sets["test"])
        made = evaluate.run(evaluate.Params(kind="nequip"), given, work)
        members.append(Given(f"evaluate-{i}", work, made.values))
    work = tmp_path / "both"
    work.mkdir()
    given = toy.inputs(evaluations=members, dataset=toy_sets["test"])
    made = committee.run(committee.Params(), given, work)
    assert json.loads((work / "errors.json").read_text(encoding="utf-8")) == made.values
    one, two = (np.load(member.path / "predictions.npz") for member in members)
    both = np.load(work / "predictions.npz")
    np.testing.assert_allclose(both["forces"], (one["forces"] + two["forces"]) / 2)
    apart = np.abs(one["forces"] - two["forces"]) / 2**0.5  # of two values, n − 1
    np.testing.assert_allclose(both["forces_spread"], apart, atol=1e-12)
    assert apart.max() > 1e-4
    values = made.values
    per_frame = [np.sqrt(np.mean(a**2)) * 1e3 for a in np.split(apart, 3)]  # 3 frames of 12
    assert values["force_spread"] == pytest.approx(np.mean(per_frame))
    error = both["forces"] - both["forces_reference"]
    assert values["force_rmse"] == pytest.approx(np.sqrt(np.mean(error**2)) * 1e3)
    assert values["force_ratio"] == pytest.approx(values["force_rmse"] / values["force_spread"])
    assert values["members"] == 2
    ions = [member.values["ion_energies"]["Li"] for member in members]
    assert values["ion_energies"]["Li"] == pytest.approx(np.mean(ions))
    assert values["energy_mae"] <= np.mean([m.values["energy_mae"] for m in members]) + 1e-9
