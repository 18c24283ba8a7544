"""Dynamics with a model that nequip trained."""

import contextlib
import csv
import dataclasses

import numpy as np
import pytest
import toy
from ase.io import write

from ilmlip.engines import lammps_model, nequip
from ilmlip.engines.model_dynamics import TRAJECTORY, read_thermo, read_trajectory
from ilmlip.engines.moves import start_velocities
from ilmlip.engines.thermo import THERMO
from ilmlip.errors import StageError
from ilmlip.spec.ensemble import Guards, Run
from ilmlip.spec.model import Model
from ilmlip.stages import compile_model, md, md_report, train
from ilmlip.stages.base import Given
from ilmlip.units import BAR

pytest_plugins = ("toy_fixtures",)
pytestmark = pytest.mark.engine

NVT = Run(kind="nvt", temperature=50.0, timestep=0.5, duration=20.0, thermostat_time=50.0)


@pytest.fixture
def start(tmp_path) -> Given:
    """A trajectory of two frames, of which the last one counts."""
    folder = tmp_path / "sampled"
    folder.mkdir()
    frames = [toy.frame({"Li": 2, "K": 2, "PF": 4}, seed) for seed in (3, 4)]
    write(folder / "trajectory.extxyz", frames, format="extxyz")
    return Given("sample-toy", folder, {})


def params(**own) -> md.Params:
    made = {
        "run": NVT,
        "seed": 5,
        "thermo_every": 2,
        "frame_every": 10,
        "guards": Guards(distance=0.1),
    }
    return md.Params(**made | own)


def done(given, inputs, work):
    work.mkdir()
    with contextlib.chdir(work):
        return md.run(given, inputs, work)


def test_a_run_leaves_its_course_and_its_frames(trained, start, tmp_path):
    inputs = toy.inputs(model=trained, structure=start)
    made = done(params(supercell=(2, 1, 1)), inputs, tmp_path / "a")
    assert made.files == (TRAJECTORY, THERMO)
    values = made.values
    assert values["stable"] and values["steps"] == values["of_steps"] == 40
    assert values["n_atoms"] == 24
    frames = list(read_trajectory(tmp_path / "a" / TRAJECTORY))
    assert [f.info["step"] for f in frames] == [0, 10, 20, 30, 40]
    first = toy.frame({"Li": 2, "K": 2, "PF": 4}, 4) * (2, 1, 1)
    assert np.allclose(frames[0].positions, first.positions, atol=1e-7)
    # each frame carries what the model says of it
    (again,) = nequip.load(trained.path).predict([frame_of(frames[-1])])
    assert frames[-1].get_potential_energy() == pytest.approx(again.energy, abs=1e-5)
    assert np.abs(frames[-1].get_forces() - again.forces).max() < 1e-4
    columns = read_thermo(tmp_path / "a" / THERMO)
    assert list(columns["step"]) == list(range(0, 41, 2))
    assert values["temperature_K"] == pytest.approx(columns["temperature_K"][10:].mean())
    assert columns["temperature_K"][0] == pytest.approx(50)


def frame_of(atoms):
    from ilmlip.chemistry.labelled import Frame

    return Frame(
        symbols=tuple(atoms.get_chemical_symbols()),
        positions=atoms.positions,
        cell=atoms.cell.array,
        energy=0.0,
        forces=np.zeros((len(atoms), 3)),
        ion_ids=atoms.get_array("ion_id"),
        ion_types=tuple(atoms.get_array("ion_type")),
    )


@pytest.mark.slow
def test_the_compiled_model_runs_as_the_eager_one(trained, toy_sets, start, tmp_path):
    work = tmp_path / "compiled"
    work.mkdir()
    data = toy.inputs(model=trained, dataset=toy_sets["train"])
    with contextlib.chdir(work):
        compile_model.run(compile_model.Params(), data, work)
    given = Given("compile_model-toy", work, {})
    eager = toy.inputs(model=trained, structure=start)
    compiled = toy.inputs(model=trained, structure=start, compiled=given)
    one = done(params(), eager, tmp_path / "eager").values
    two = done(params(), compiled, tmp_path / "fast").values
    assert two["potential_eV"] == pytest.approx(one["potential_eV"], abs=1e-3)
    assert two["temperature_K"] == pytest.approx(one["temperature_K"], rel=1e-3)
    # and LAMMPS runs the compiled one as ASE does
    nve = Run(kind="nve", temperature=50.0, timestep=0.5, duration=20.0)
    by = {
        engine: done(params(run=nve, engine=engine), compiled, tmp_path / engine).values
        for engine in ("ase", "lammps")
    }
    for name in ("potential_eV", "temperature_K"):
        assert by["lammps"][name] == pytest.approx(by["ase"][name], rel=1e-5)


def test_a_guard_and_a_table_of_the_runs(trained, start, tmp_path):
    inputs = toy.inputs(model=trained, structure=start)
    good = done(params(), inputs, tmp_path / "good").values
    bad = done(params(guards=Guards(temperature=1.0)), inputs, tmp_path / "bad").values
    assert not bad["stable"] and bad["steps"] == 10
    assert bad["reason"].startswith("temperature ")
    runs = tuple(
        md_report.Described(
            model="0.4", seed=1, composition="0.4", kind="nvt", temperature=50.0, replica=i
        )
        for i in range(3)
    )
    given = [Given("md-a", tmp_path / "good", good), Given("md-b", tmp_path / "bad", bad)]
    inputs = dataclasses.replace(toy.inputs(md=given), places={"md": (0, 2)})
    work = tmp_path / "report"
    work.mkdir()
    made = md_report.run(md_report.Params(runs=runs), inputs, work)
    assert made.values == {"runs": 2, "unstable": 1}
    rows = list(csv.DictReader((work / "md.csv").open(encoding="utf-8")))
    assert [(r["replica"], r["stable"], r["steps"]) for r in rows] == [
        ("0", "Y", "40"),
        ("2", "N", "10"),
    ]
    page = (work / "md.md").read_text(encoding="utf-8")
    assert "**unstable**: temperature" in page and "1 run has no result" in page
    assert (work / "md.png").stat().st_size > 10_000


def test_an_element_that_the_model_does_not_know(trained, tmp_path):
    folder = tmp_path / "sampled"
    folder.mkdir()
    atoms = toy.frame({"Li": 2, "PF": 2}, 1)
    atoms.symbols[0] = "Na"
    write(folder / "trajectory.extxyz", atoms, format="extxyz")
    inputs = toy.inputs(model=trained, structure=Given("sample-odd", folder, {}))
    with pytest.raises(StageError, match="the box holds Na; the model knows Cl, F, K, Li, P"):
        done(params(), inputs, tmp_path / "a")


def test_lammps_runs_the_model_as_ase_does(trained, start, tmp_path):
    inputs = toy.inputs(model=trained, structure=start)
    nve = Run(kind="nve", temperature=50.0, timestep=0.5, duration=25.0)
    frames = {}
    for engine in ("ase", "lammps"):
        made = done(params(run=nve, engine=engine), inputs, tmp_path / engine)
        assert made.values["stable"] and made.values["steps"] == 50
        assert ("lammps" in made.tools) == (engine == "lammps")
        frames[engine] = list(read_trajectory(tmp_path / engine / TRAJECTORY))
    for one, two in zip(*frames.values(), strict=True):
        assert np.abs(one.positions - two.positions).max() < 1e-6
    whole, other = (read_thermo(tmp_path / engine / THERMO) for engine in frames)
    for name, column in whole.items():
        assert np.allclose(column, other[name], rtol=1e-5, atol=1e-4), name


@pytest.mark.parametrize(
    "architecture", ["nequip", pytest.param("allegro", marks=pytest.mark.slow)]
)
def test_lammps_gets_forces_energy_and_virial_of_a_network(
    architecture, smoke_model, trained, toy_sets, tmp_path
):
    """Its own pressure tensor of a box without a right angle is ASE's stress, on its axes."""
    folder = trained.path
    if architecture == "allegro":
        own = {"architecture": "allegro", "n_features": None, "n_scalar_features": 4}
        own |= {"n_tensor_features": 2, "n_layers": 2, "max_steps": 8}
        model = Model.model_validate(smoke_model.model_dump() | own)
        folder = tmp_path
        with contextlib.chdir(folder):
            made = train.Params(training=model.training(1), elements=("Cl",))
            train.run(made, toy.inputs(dataset=toy_sets["train"]), folder)
    atoms = toy.frame({"Li": 2, "K": 2, "PF": 4}, 4)
    atoms.set_cell([[8, 1, 0.5], [-1, 8.5, 0.7], [0.3, -1.2, 9]], scale_atoms=True)
    atoms.calc = nequip.calculator(folder)
    start_velocities(atoms, 50.0, 1)
    mover = lammps_model.Mover(atoms, NVT.model_copy(update={"kind": "nve"}), tmp_path)
    mover.step()
    engine, turn = mover._lammps, mover._prism.rot_mat
    forces = np.array(engine.gather_atoms("f", 1, 3)).reshape(-1, 3) @ turn.T
    assert np.abs(forces - atoms.get_forces()).max() < 1e-6 * np.abs(forces).max()
    assert engine.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), rel=1e-6)
    stress = turn.T @ atoms.get_stress(voigt=False, include_ideal_gas=True) @ turn
    wanted = np.array([-stress[pair] / BAR for pair in lammps_model.VOIGT])
    found = [engine.get_thermo(f"p{i}{j}") for i, j in ("xx", "yy", "zz", "xy", "xz", "yz")]
    assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()
    mover.close()
