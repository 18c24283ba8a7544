"""The programs that an export carries do what the stages do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from toy import frame

from ilmlip.chemistry.boxes import atoms_of
from ilmlip.chemistry.forcefield import scaled_forcefield, topology
from ilmlip.chemistry.packing import pack
from ilmlip.engines import lammps
from ilmlip.export.study import TOOLS
from ilmlip.observables.errors import energy_errors, force_errors
from ilmlip.observables.shifts import count, least_squares
from ilmlip.spec.load import load


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tools can be imported by their short names, as they import each other."""
    names = [path.stem for path in TOOLS.glob("*.py")]
    monkeypatch.syspath_prepend(TOOLS)
    yield
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "counts", [{"EMIM": 1, "Li": 1, "PF6": 2}, {"Li": 2}], ids=["with bonds", "without"]
)
def test_data_files_are_those_of_a_label(tools: None, counts: dict[str, int]) -> None:
    system = load(["quickstart"]).system
    packed = pack(counts, {name: system.ions[name].geometry() for name in counts}, 11.0, 1)
    box = topology(scaled_forcefield(system.ions, 0.8), packed.names)
    template = lammps.data_file(box, packed.positions, [packed.length] * 3)
    moved = packed.positions + np.random.default_rng(1).normal(size=packed.positions.shape)
    lengths = [10.25, 1 / 0.09, 12.0]
    atoms = atoms_of(box.elements, box.ion_id, box.ion_type, moved, lengths)
    made = import_module("frames").data_file(template, atoms)
    assert made == lammps.data_file(box, moved, lengths)


def test_a_step_that_is_not_in_the_dump_is_named(tmp_path: Path) -> None:
    (tmp_path / "frames.json").write_text(
        json.dumps({"dump": "frames.dump", "steps": [100]}), encoding="utf-8"
    )
    (tmp_path / "frames.dump").write_text("", encoding="utf-8")
    write(tmp_path / "structure.extxyz", frame({"Li": 1, "PF": 1}, 1))
    done = subprocess.run(
        [sys.executable, TOOLS / "frames.py", "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
     encoding="utf-8")  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == ("frames.dump has no step 100; has the sampling run to its end?")


def test_a_frame_without_forces_is_refused(tools: None, tmp_path: Path) -> None:
    bare = frame({"Li": 1, "PF": 1}, 1)
    bare.calc.results.pop("forces")
    write(tmp_path / "labelled.extxyz", [frame({"Li": 1, "PF": 1}, 2), bare])
    source = {"file": str(tmp_path / "labelled.extxyz"), "frames": [0, 1]}
    (tmp_path / "split.json").write_text(
        json.dumps({"from": [source], "split": {"test": [0, 1]}}), encoding="utf-8"
    )
    with pytest.raises(SystemExit, match="frame 1: forces is missing"):
        import_module("gather").main(tmp_path)


@pytest.mark.parametrize("kind", ["zero", "mean", "least_squares"])
def test_shifts_are_those_of_a_training(tools: None, tmp_path: Path, kind: str) -> None:
    from yaml import safe_dump, safe_load

    from ilmlip.chemistry.labelled import read_frames
    from ilmlip.stages.train import starting_shifts

    types = ["F", "K", "Li", "P"]
    frames = [frame({"Li": n, "K": 3 - n, "PF": 3}, n) for n in (1, 2, 3)]
    write(tmp_path / "train.extxyz", frames)
    config = {
        "data": {"train_file_path": "train.extxyz"},
        "training_module": {
            "model": {"type_names": types, "per_type_energy_shifts": dict.fromkeys(types, 0.0)}
        },
    }
    (tmp_path / "config.yaml").write_text("# how to run it\n" + safe_dump(config), encoding="utf-8")
    (tmp_path / "training.json").write_text(json.dumps({"shifts": kind}), encoding="utf-8")
    import_module("shifts").main(tmp_path)
    text = (tmp_path / "config.yaml").read_text(encoding="utf-8")
    found = safe_load(text)["training_module"]["model"]["per_type_energy_shifts"]
    assert text.startswith("# how to run it\n")
    assert found == starting_shifts(kind, read_frames(tmp_path / "train.extxyz"), types)


def test_errors_are_those_of_the_observables(tools: None) -> None:
    evaluate = import_module("evaluate")
    frames = [frame({"Li": n, "K": 1, "PF": 2}, n) for n in (1, 2)]
    rng = np.random.default_rng(2)
    reference = [atoms.calc.results["forces"] for atoms in frames]
    forces = [f + rng.normal(size=f.shape) for f in reference]
    energies = [
        atoms.get_potential_energy() + x for atoms, x in zip(frames, (0.1, -0.3), strict=True)
    ]
    symbols = [atoms.get_chemical_symbols() for atoms in frames]
    ours = force_errors(forces, reference, symbols) | energy_errors(
        np.array(energies),
        np.array([atoms.get_potential_energy() for atoms in frames]),
        np.array([len(atoms) for atoms in frames]),
    )
    theirs = evaluate.errors_of_forces(forces, frames) | evaluate.errors_of_energy(energies, frames)
    for name, (value, _) in theirs.items():
        assert value == pytest.approx(ours[name], rel=1e-12), name
    assert {name for name in ours if "stderr" not in name and "bias" not in name} == set(theirs)


def test_the_linear_model_is_that_of_the_stage(tools: None, tmp_path: Path) -> None:
    frames = [frame({"Li": n, "K": 3 - n, "PF": 3}, n) for n in (1, 2, 3)]
    write(tmp_path / "train.extxyz", frames)
    (tmp_path / "training.json").write_text(json.dumps({"train": "train.extxyz"}), encoding="utf-8")
    import_module("linear").main(tmp_path)
    found = json.loads((tmp_path / "linear.json").read_text(encoding="utf-8"))["energies"]
    kinds = ["K", "Li", "PF"]
    names = [["Li"] * n + ["K"] * (3 - n) + ["PF"] * 3 for n in (1, 2, 3)]
    energies = [a.get_potential_energy() for a in read(tmp_path / "train.extxyz", ":")]
    assert found == pytest.approx(
        least_squares(count(names, kinds), np.array(energies), kinds).energies
    )
