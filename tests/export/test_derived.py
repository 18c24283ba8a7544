"""Derived data sets in an export: scripts that make the frames and labels of a run of ilmlip."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from exported import FRAME, run_script, write_dump
from outside import PSEUDO, require, require_pseudopotentials, use_pseudopotentials

from ilmlip.chemistry.boxes import read, read_one, write
from ilmlip.engines import qe
from ilmlip.engines.moves import rattled, scanned
from ilmlip.export.layout import Layout, lay_out
from ilmlip.export.study import TOOLS, write_export
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.derived import Rattle, VolumeScan
from ilmlip.spec.load import load
from ilmlip.stages import series, stage
from ilmlip.stages.base import Given, Inputs

SCAN = "{kind: volume_scan, volume_scan: {densities: [0.8, 1.0], points: 2}, frames: 1}"
RATTLE = "{kind: rattle, rattle: {amplitude: 0.03, count: 1}, frames: 1, of: frames}"
DERIVED = (
    "dataset.derived=[{kind: frames}, {kind: aimd, aimd: {steps: 2}, take: [1], frames: 1}, "
    f"{{kind: relax, relax: {{steps: 2}}, frames: 1}}, {SCAN}, {RATTLE}]"
)
# far from converged, and quick
PW = ("labels_smoke", "dft=qe_pbe_d3_nc", "dft.qe.ecutwfc=16", "dft.qe.ecutrho=64")


def exported(words: tuple[str, ...], folder: Path) -> tuple[Plan, Layout]:
    spec = load(words)
    plan = compile_study([spec])
    write_export(plan, [spec], folder)
    return plan, lay_out(plan)


def content(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_dynamics_and_relaxations_are_inputs_of_pw_x(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    exported((*PW, DERIVED), folder)
    places = {p.name.removeprefix("LiPF6-0"): p for p in (folder / "3-label").iterdir()}
    assert set(places) == {"", "-aimd", "-relax", "-rattle"}
    moves = (places["-aimd"] / "in.pw").read_text(encoding="utf-8")
    for words in (r"calculation *= 'md'", r"nstep *= 3\b", r"ion_temperature *= 'rescaling'"):
        assert re.search(words, moves)
    relaxes = (places["-relax"] / "in.pw").read_text(encoding="utf-8")
    assert re.search(r"calculation *= 'relax'", relaxes) and "bfgs" in relaxes
    assert re.search(r"calculation *= 'scf'", (places[""] / "in.pw").read_text(encoding="utf-8"))
    assert content(places["-aimd"] / "steps.json") == {"steps": [1]}
    assert content(places["-relax"] / "steps.json") == {"steps": [2]}
    assert not (places[""] / "steps.json").exists()
    (scan,) = (folder / "3b-derive").iterdir()
    assert content(scan / "frames.json") == {
        "file": "3-label/LiPF6-0-aimd/labelled.extxyz",
        "frames": [0],
        "volume_scan": {"densities": [0.8, 1.0], "points": 2},
    }
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "3b-derive" in readme and "steps.json" in readme


def test_a_set_takes_its_steps_and_a_scan_its_own(tmp_path: Path) -> None:
    """Points that take other steps of one series share its runs; every set finds its own."""
    some = "{kind: aimd, aimd: {steps: 5}, take: %s}"
    words = [
        ["labels_smoke", "dft=gfn1_xtb", f"dataset.derived=[{some % take}]"]
        for take in ("[1]", "[5, 2]")
    ]
    specs = [load(one) for one in words]
    plan = compile_study(specs)
    write_export(plan, specs, tmp_path / "study")
    (place,) = (tmp_path / "study" / "3-label").iterdir()
    assert content(place / "steps.json") == {"steps": [1, 2, 5]}
    taken = [
        content(path)["from"][0]["frames"]
        for path in (tmp_path / "study" / "4-dataset").glob("*/split.json")
    ]
    assert sorted(taken) == [[0, 3], [2, 1, 5, 4]]


def test_frames_that_are_held_out_are_validated_on(tmp_path: Path) -> None:
    """`compositions.test_structure=none`: as the stage splits, not at random."""
    words = (
        "labels_smoke", "dft=gfn1_xtb", "dataset.frames=6", "sampling.duration=12000",
        "dataset.validation_fraction=0.5", "compositions.test_structure=none",
        "dataset.derived=[{kind: frames}]",
    )  # fmt: skip
    exported(words, tmp_path / "study")
    (train,) = (tmp_path / "study" / "4-dataset").glob("train*/split.json")
    assert content(train)["split"] == {"train": [0, 1, 2], "val": [3, 4, 5]}


def test_dynamics_of_another_engine_are_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    exported(("labels_smoke", "dft=gfn1_xtb", DERIVED), folder)
    write_dump(folder)
    place = folder / "3-label" / "LiPF6-0-aimd"
    settings = content(place / "engine.json")
    assert settings["engine"] == "xtb" and settings["aimd"]["steps"] == 2
    assert settings["temperature"] > 0 and len(content(place / "frames.json")["seeds"]) == 1
    done = run_script(folder, "3-label.sh", "3-label/LiPF6-0-aimd")
    assert done.returncode == 1 and "the steps that steps.json names" in done.stderr
    early = run_script(folder, "3b-derive.sh")
    assert early.returncode != 0
    assert "LiPF6-0-aimd/labelled.extxyz has 0 frames, and number 0 (from 0)" in early.stderr
    write(place / "labelled.extxyz", read(place / "frames.extxyz"))
    assert run_script(folder, "3-label.sh", "3-label/LiPF6-0-aimd").returncode == 0
    scan = run_script(folder, "3b-derive.sh")
    assert scan.returncode == 1 and "label 3b-derive/LiPF6-0-volume_scan" in scan.stderr
    made = read(folder / "3b-derive" / "LiPF6-0-volume_scan" / "frames.extxyz")
    wanted = scanned(read_one(place / "frames.extxyz", 0), VolumeScan(densities=(0.8, 1), points=2))
    for one, other in zip(made, wanted, strict=True):
        assert np.abs(one.positions - other.positions).max() < 1e-8


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(TOOLS)
    yield
    sys.modules.pop("scan", None)


def test_scans_and_rattles_are_those_of_the_stage(tools: None) -> None:
    """Ions that are not cubic and not at the origin; to the last bit."""
    atoms = read_one(FRAME, 0)
    atoms.positions += [3.0, -1.0, 7.0]
    scan = VolumeScan(densities=(0.5, 1.7), points=4)
    given = {"volume_scan": {"densities": [0.5, 1.7], "points": 4}}
    ours = scanned(atoms, scan)
    theirs = import_module("scan").made([atoms], given)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.positions == other.positions).all() and (one.cell == other.cell).all()
    ours = rattled(atoms, Rattle(amplitude=0.1, count=3), 7)
    given = {"rattle": {"amplitude": 0.1, "count": 3}, "seeds": [7]}
    for one, other in zip(ours, import_module("scan").made([atoms], given), strict=True):
        assert (one.positions == other.positions).all()


def alike(ours: Path, theirs: Path) -> int:
    """Compare files of labelled frames; returns how many there are."""
    pairs = list(zip(read(ours), read(theirs), strict=True))
    for one, other in pairs:
        assert one.get_chemical_symbols() == other.get_chemical_symbols()
        assert (one.arrays["ion_id"] == other.arrays["ion_id"]).all()
        assert one.info == other.info
        assert np.abs(one.cell.array - other.cell.array).max() < 1e-7
        assert np.abs(one.positions - other.positions).max() < 2e-8
        # frames are written to 1e-8 Å before they are labelled, in a run after it
        energies = [atoms.get_potential_energy() for atoms in (one, other)]
        assert energies[0] == pytest.approx(energies[1], abs=3e-6)
        assert np.abs(one.get_forces() - other.get_forces()).max() < 1e-5
        assert np.abs(one.get_stress() - other.get_stress()).max() < 1e-7
    return len(pairs)


class Stages:
    """The tasks of a plan by ilmlip's stages, on the frames of an export."""

    def __init__(self, plan: Plan, layout: Layout, export: Path, work: Path) -> None:
        self.plan, self.layout, self.export, self.work = plan, layout, export, work
        self.done: dict[str, Given] = {}

    def trajectory(self, key: str) -> Given:
        """The frames that the export took out of its dump."""
        (folder,) = (f for f, s in self.layout.series.items() if s.kind == "frames")
        place = self.work / key
        place.mkdir()
        shutil.copyfile(self.export / folder / "frames.extxyz", place / "trajectory.extxyz")
        return Given(key, place, {})

    def dynamics(self, task: Task) -> Given:
        """What the stage takes out of the export's output: pw.x draws other velocities each time."""
        params = task.params
        assert isinstance(params, series.Params)
        folder, number = self.layout.labels[task.key]
        (trajectory,) = task.needs["trajectory"]
        start = read_one(self.of(trajectory).path / "trajectory.extxyz", params.frame)
        steps = qe.read_steps(self.export / folder / f"frame-{number}.out")
        place = self.work / task.key
        place.mkdir()
        for step in steps:
            step.atoms.set_array("ion_id", start.arrays["ion_id"])
            step.atoms.set_array("ion_type", start.arrays["ion_type"])
            step.atoms.cell = start.cell
        frames = [series._frame(params, step) for step in steps]
        write(place / series.SERIES, frames)
        return Given(task.key, place, {"steps": [step.number for step in steps]})

    def of(self, key: str) -> Given:
        if key not in self.done:
            self.done[key] = self._made(self.plan.tasks[key])
        return self.done[key]

    def _made(self, task: Task) -> Given:
        if task.stage == "sample":
            return self.trajectory(task.key)
        if task.stage == "series" and getattr(task.params, "aimd", None) is not None:
            return self.dynamics(task)
        roles = {role: tuple(self.of(key) for key in keys) for role, keys in task.needs.items()}
        place = self.work / task.key
        place.mkdir()
        made = stage(task.stage).run(task.params, Inputs(roles), place)
        return Given(task.key, place, made.values)


def set_of_stages(plan: Plan, layout: Layout, export: Path) -> int:
    """The frames of the data set, which by the stages is that of the export."""
    work = export.parent / "ours"
    work.mkdir()
    stages = Stages(plan, layout, export, work)
    (task,) = (task for task in plan if task.stage == "dataset")
    ours, theirs = stages.of(task.key).path, export / layout.folders[task.key]
    names = ("train.extxyz", "val.extxyz")
    return sum(alike(ours / name, theirs / name) for name in names)


def test_scans_by_the_force_field_are_those_of_the_stages(tmp_path: Path) -> None:
    export = tmp_path / "study"
    derived = f"dataset.derived=[{{kind: frames}}, {SCAN}, {RATTLE}]"
    plan, layout = exported(("labels_smoke", "dft=opls", derived), export)
    write_dump(export)
    for script in ("3-label.sh", "4-dataset.sh"):
        done = run_script(export, script)
        assert done.returncode == 0, done.stdout + done.stderr
    assert not (export / "3b-derive.sh").exists()
    assert set_of_stages(plan, layout, export) == 2 + 2 + 1


@pytest.mark.engine
@pytest.mark.slow
def test_a_bare_run_of_pw_x_gives_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames, dynamics, a relaxation, a scan of dynamics and a rattle, to the files of the set."""
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    use_pseudopotentials(tmp_path, monkeypatch)
    export = tmp_path / "study"
    plan, layout = exported((*PW, DERIVED), export)
    (export / "pseudo").symlink_to(PSEUDO)
    write_dump(export)
    for script in ("3-label.sh", "3b-derive.sh", "4-dataset.sh"):
        done = run_script(export, script)
        assert done.returncode == 0, done.stdout + done.stderr
    assert not list(export.glob("3*/*/scratch"))

    assert set_of_stages(plan, layout, export) == 2 + 1 + 1 + 2 + 1

    # a step of dynamics has the label of its positions; pw.x extrapolates the density there
    place = export / "3-label" / "LiPF6-0-aimd"
    (step,) = read(place / "labelled.extxyz")
    assert step.info["step"] == 1
    (task,) = (t for t in plan if t.stage == "series" and t.about["kind"] == "aimd")
    with task.params.open(Inputs({}), tmp_path / "ours") as session:
        own = session.label(step)
    assert step.get_potential_energy() == pytest.approx(own.energy, abs=1e-5)
    assert np.abs(step.get_forces() - own.forces).max() < 1e-3

    # dynamics without the wanted step are named
    (place / "done").unlink()
    (place / "steps.json").write_text(json.dumps({"steps": [9]}), encoding="utf-8")
    again = run_script(export, "3-label.sh", str(place.relative_to(export)))
    assert again.returncode != 0 and "frame-0.out has no step 9" in again.stderr
