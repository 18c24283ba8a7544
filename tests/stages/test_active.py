"""Learning on the fly, from a run to the frames that are labelled, and as a whole on real engines."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import toy
from ase.io import read, write
from command import ilmlip

from ilmlip.spec.ensemble import Guards, Run
from ilmlip.stages import choose, dataset, explore, label_chosen, train
from ilmlip.stages.base import Given
from ilmlip.store import Store

pytest_plugins = ("toy_fixtures",)
pytestmark = pytest.mark.engine

NVT = Run(kind="nvt", temperature=300.0, timestep=0.5, duration=20.0, thermostat_time=20.0)
XTB = {"xtb": {"scf_accuracy": 1.0, "electronic_temperature": 300.0}}


def stage(module, params, inputs, folder, key) -> Given:
    folder.mkdir()
    with contextlib.chdir(folder):
        made = module.run(params, inputs, folder)
    return Given(key, folder, made.values)


@pytest.fixture(scope="module")
def second(smoke_model, toy_sets, tmp_path_factory) -> Given:
    """Another member of the committee."""
    params = train.Params(training=smoke_model.training(2), elements=("Cl",))
    inputs = toy.inputs(dataset=toy_sets["train"])
    return stage(train, params, inputs, tmp_path_factory.mktemp("second") / "model", "train-2")


@pytest.fixture
def explored(trained, second, tmp_path) -> Given:
    folder = tmp_path / "sampled"
    folder.mkdir()
    write(folder / "trajectory.extxyz", toy.frame({"Li": 4, "PF": 4}, 30), format="extxyz")
    params = explore.Params(
        run=NVT, seed=5, thermo_every=5, frame_every=4, guards=Guards(distance=0.1)
    )
    start = Given("sample-toy", folder, {})
    inputs = toy.inputs(model=[trained, second], structure=start)
    return stage(explore, params, inputs, tmp_path / "explored", "explore-toy")


def chosen(explored, folder, **params) -> Given:
    made = choose.Params(seed=3, **{"choose": "spread", "frames": 3, **params})
    return stage(choose, made, toy.inputs(explored=explored), folder, "choose-toy")


def test_the_spread_is_that_of_the_members_forces(explored, trained, second) -> None:
    """By ASE's calculators of both members, frame by frame."""
    from ilmlip.engines import nequip
    from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory

    times, spread = explore.read_spread(explored.path)
    assert list(times) == [2 * i for i in range(1, 11)]
    calculators = [nequip.calculator(given.path) for given in (trained, second)]
    for atoms, own in zip(
        list(read_trajectory(explored.path / TRAJECTORY))[1:], spread, strict=True
    ):
        forces = []
        for calculator in calculators:
            copy = atoms.copy()
            copy.calc = calculator
            forces.append(copy.get_forces())
        half = np.linalg.norm(forces[0] - forces[1], axis=1) / 2  # of two members about their mean
        assert own == pytest.approx(1000 * half.max(), rel=1e-3)
    assert explored.values["largest_spread"] == pytest.approx(spread.max())


def test_the_frame_of_the_largest_spread_is_chosen(explored, tmp_path) -> None:
    made = chosen(explored, tmp_path / "c", check=2)
    assert made.values == {"chosen": 3, "checked": 2, "stopped": False}
    frames = read(made.path / "trajectory.extxyz", index=":")
    _, spread = explore.read_spread(explored.path)
    assert len(frames) == 5
    assert max(f.info["spread"] for f in frames[:3]) == pytest.approx(spread.max(), rel=1e-6)
    assert len({f.info["time_fs"] for f in frames[:3]}) == 3
    assert [f.info["time_fs"] for f in frames[3:]] == [10, 20]
    assert all(f.calc is None and f.arrays["model_forces"].shape == (12, 3) for f in frames)


def test_rounds_end_below_the_stated_spread(explored, trained, second, tmp_path) -> None:
    _, spread = explore.read_spread(explored.path)
    made = chosen(explored, tmp_path / "c", check=2, stop=float(spread.max()) + 1)
    assert made.values == {"chosen": 0, "checked": 2, "stopped": True}
    go_on = chosen(explored, tmp_path / "d", stop=float(spread.max()) - 1e-3)
    assert not go_on.values["stopped"]
    params = explore.Params(run=NVT, seed=5, thermo_every=5, frame_every=4)
    inputs = toy.inputs(model=[trained, second], structure=trained, before=made)
    idle = stage(explore, params, inputs, tmp_path / "e", "explore-idle")
    assert idle.values == {"ran": False} and not list(idle.path.iterdir())
    after = chosen(idle, tmp_path / "f")
    assert after.values == {"chosen": 0, "checked": 0, "stopped": True}


def test_frames_that_are_no_liquid_any_more_are_left_out(explored, tmp_path) -> None:
    _, spread = explore.read_spread(explored.path)
    limit = float(np.median(spread))
    for way in ("spread", "random"):
        made = chosen(explored, tmp_path / way, choose=way, frames=9, highest=limit)
        frames = read(made.path / "trajectory.extxyz", index=":")
        assert len(frames) == (spread <= limit).sum()
        assert max(f.info["spread"] for f in frames) <= limit


def test_labels_of_what_was_chosen_and_nothing_of_what_was_not(explored, tmp_path) -> None:
    made = chosen(explored, tmp_path / "c", frames=2, check=1)
    labels = {}
    for of, number in (("chosen", 0), ("chosen", 1), ("chosen", 2), ("checked", 0), ("checked", 1)):
        params = label_chosen.Params(frame=number, of=of, stress=False, **XTB)
        labels[of, number] = stage(
            label_chosen,
            params,
            toy.inputs(trajectory=made),
            tmp_path / f"{of}{number}",
            f"{of}{number}",
        )
    there = {name: given.values["there"] for name, given in labels.items()}
    assert there == {
        ("chosen", 0): True, ("chosen", 1): True, ("chosen", 2): False,
        ("checked", 0): True, ("checked", 1): False,
    }  # fmt: skip
    assert read(labels["checked", 0].path / "frame.extxyz").info["time_fs"] == 20
    given = toy.inputs(
        labels=toy.labels(tmp_path, {"Li": 4, "PF": 4}, 3),
        chosen=[labels["chosen", i] for i in range(3)],
    )
    params = dataset.Params(role="train", validation_fraction=0.4)
    data = stage(dataset, params, given, tmp_path / "d", "d")
    assert sum(data.values["frames"].values()) == 3 + 2


SMALL = """
active dft=opls model=nequip_smoke model.linear=false model.seeds=[1,2] model.max_steps=4
compositions.pairs=1 sampling.temperatures=[300,400] sampling.equilibration.time_scale=0.0005
sampling.settle=500 sampling.duration=3000 sampling.interval=100 dataset.frames=2 dataset.every=2
dataset.validation_fraction=0.5 dataset.active.rounds=1 dataset.active.frames=2
dataset.active.apart=0 dataset.active.check=2 dataset.active.run.duration=50
dataset.active.highest=null dataset.active.guards.force=1e5 tracking=none cluster.cores=2
"""


@pytest.mark.slow
def test_a_study_learns_on_the_fly_and_stops_where_it_is_told(tmp_path: Path) -> None:
    """Two ways of one round each: one goes on, the other is told to stop at once."""
    sweep = "sweep={dataset.active.stop: [1.0e-6, 1.0e+9]}"
    answer = ilmlip(
        "run",
        *SMALL.split(),
        "dataset.active.choose=spread",
        sweep,
        "--json",
        cwd=tmp_path,
    )
    assert answer.code == 0, answer.err
    table = Path(answer.json["points"][0]["outputs"]["active_all"])
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    first = [row for row in rows if row["stopped"] == "false"]
    assert [row["round"] for row in first] == ["0", "1"]
    # a run that breaks has fewer frames to choose from
    added = int(first[0]["chosen"])
    assert added in (1, 2)
    assert [int(row["labels"]) for row in first] == [4, 4 + added]
    (last,) = (row for row in rows if row["stopped"] == "true")
    assert (last["round"], last["labels"], last["chosen"]) == ("0", "4", "0")
    assert all(float(row["force_mae_in_dynamics"]) > 0 and int(row["checked"]) for row in rows)
    store = Store(tmp_path / "store")
    trained = [store.result(key) for key in sorted(store.keys()) if key.startswith("train-")]
    carried = [one for one in trained if one.values.get("carried")]
    assert len(trained) == 2 + 2 + 2 and len(carried) == 2
    weights = {one.files["weights.npz"] for one in trained}
    assert len(weights) == 2 + 2  # those of the round that was not needed are those before
    again = ilmlip(
        "run", *SMALL.split(), "dataset.active.choose=spread", sweep, "--json", cwd=tmp_path
    )
    assert json.loads(again.out)["done"] == 0
