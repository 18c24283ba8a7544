"""The error of a model in its own dynamics, from its run to the page."""

import contextlib
import csv
import dataclasses

import numpy as np
import pytest
import toy
from ase.io import read, write

from ilmlip.engines.model_dynamics import TRAJECTORY, read_trajectory
from ilmlip.errors import StageError
from ilmlip.spec.ensemble import Guards, Run
from ilmlip.stages import dataset, evaluate, md, md_frames, validate
from ilmlip.stages.base import Given
from ilmlip.stages.md_report import Described

pytest_plugins = ("toy_fixtures",)
pytestmark = pytest.mark.engine

NVE = Run(kind="nve", temperature=50.0, timestep=0.5, duration=20.0)


def stage(module, params, inputs, folder, key) -> Given:
    folder.mkdir()
    with contextlib.chdir(folder):
        made = module.run(params, inputs, folder)
    return Given(key, folder, made.values)


@pytest.fixture
def run(trained, tmp_path) -> Given:
    folder = tmp_path / "sampled"
    folder.mkdir()
    write(folder / "trajectory.extxyz", toy.frame({"Li": 4, "PF": 4}, 30), format="extxyz")
    params = md.Params(run=NVE, seed=5, thermo_every=5, frame_every=4, guards=Guards(distance=0.1))
    inputs = toy.inputs(model=trained, structure=Given("sample-toy", folder, {}))
    return stage(md, params, inputs, tmp_path / "md", "md-toy")


def test_frames_are_equally_spaced_and_without_the_first(run, tmp_path):
    made = stage(md_frames, md_frames.Params(count=5), toy.inputs(md=run), tmp_path / "f", "f")
    frames = read(made.path / "trajectory.extxyz", index=":")
    assert [frame.info["time_fs"] for frame in frames] == [4, 8, 12, 16, 20]
    assert all(frame.calc is None for frame in frames)
    energies = [f.get_potential_energy() for f in read_trajectory(run.path / TRAJECTORY)]
    assert [f.info["model_energy"] for f in frames] == pytest.approx(energies[2::2], abs=1e-6)
    few = stage(md_frames, md_frames.Params(count=40), toy.inputs(md=run), tmp_path / "g", "g")
    assert few.values == {"n_frames": 10}
    with gzip_of_one(run, tmp_path) as short, pytest.raises(StageError, match="but its start"):
        stage(md_frames, md_frames.Params(count=2), toy.inputs(md=short), tmp_path / "h", "h")


@contextlib.contextmanager
def gzip_of_one(run, tmp_path):
    """The run as one that ended with its first frame."""
    import zlib

    folder = tmp_path / "short"
    folder.mkdir()
    whole = (run.path / TRAJECTORY).read_bytes()
    member = zlib.decompressobj(wbits=31)
    member.decompress(whole)
    (folder / TRAJECTORY).write_bytes(whole[: len(whole) - len(member.unused_data)])
    yield Given("md-short", folder, {})


def test_the_error_in_dynamics_beside_that_in_testing(run, trained, toy_sets, tmp_path):
    chosen = stage(md_frames, md_frames.Params(count=5), toy.inputs(md=run), tmp_path / "f", "f")
    frames = read(chosen.path / "trajectory.extxyz", index=":")
    labels = [
        toy.label(tmp_path, toy.labelled(frame), f"label-{i}") for i, frame in enumerate(frames)
    ]
    data = stage(
        dataset, dataset.Params(role="test"), toy.inputs(labels=labels), tmp_path / "d", "d"
    )
    params = evaluate.Params(kind="nequip")
    one = {
        name: stage(evaluate, params, toy.inputs(model=trained, dataset=of), tmp_path / name, name)
        for name, of in (("dynamics", data), ("testing", toy_sets["test"]))
    }
    described = tuple(
        Described(model="0.4", seed=1, composition="1.0", kind="nve", temperature=50.0, replica=i)
        for i in range(2)
    )
    inputs = toy.inputs(
        evaluation=[one["dynamics"]], testing=[one["testing"]] * 2, dataset=[data] * 2
    )
    inputs = dataclasses.replace(inputs, places={"evaluation": (1,)})
    made = stage(validate, validate.Params(runs=described), inputs, tmp_path / "v", "v")
    values = {name: given.values for name, given in one.items()}
    ratio = values["dynamics"]["force_mae"] / values["testing"]["force_mae"]
    assert made.values["runs"] == 1
    assert made.values["force_ratio"] == pytest.approx(ratio)
    rows = list(csv.DictReader((made.path / "validation.csv").open(encoding="utf-8")))
    assert {row["replica"] for row in rows} == {"1"}
    by_name = {row["quantity"]: row for row in rows}
    assert {"energy_mae", "force_mae", "force_mae_Li", "stress_mae"} <= by_name.keys()
    assert float(by_name["force_mae"]["in_testing"]) == pytest.approx(
        values["testing"]["force_mae"], rel=1e-5
    )
    # a constant shift is no part of the error about the mean
    arrays = evaluate.read_predictions(one["dynamics"].path)
    error = 1000 * (arrays["energy"] - arrays["energy_reference"]) / arrays["n_atoms"]
    assert float(by_name["energy_mae_about_mean"]["in_dynamics"]) == pytest.approx(
        np.abs(error - error.mean()).mean(), rel=1e-5
    )
    page = (made.path / "validation.md").read_text(encoding="utf-8")
    assert "The error in MD is ×" in page and "1 run has no labelled frames" in page
    assert (made.path / "validation.png").stat().st_size > 5000
