"""What an export holds, without running it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read

from ilmlip.errors import SpecError
from ilmlip.export.layout import DERIVE, STAGES, lay_out
from ilmlip.export.scripts import Job, script, time_limit
from ilmlip.export.study import TOOLS, write_export
from ilmlip.plan.compile import compile_study
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import Task
from ilmlip.spec.load import load
from ilmlip.stages.dataset import stratified
from ilmlip.stages.label import Params as LabelParams
from ilmlip.stages.probe import Params

QUICK = ("quickstart", "scale=smoke")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(tmp_path_factory.mktemp("exported")) / "study"
    spec = load(QUICK)
    notes = write_export(compile_study([spec]), [spec], folder)
    assert len(notes) == 3  # no figure, no findings, no quorum
    assert all(note in (folder / "README.md").read_text(encoding="utf-8") for note in notes)
    return folder


def test_every_step_has_its_folder_and_script(exported: Path) -> None:
    there = {path.name for path in exported.iterdir()}
    steps = set(STAGES) - {DERIVE}  # nothing starts from steps of a series
    assert there == steps | {f"{s}.sh" for s in steps} | {"run_all.sh", "tools", "README.md"}
    for step in ("1-equilibrate", "2-sample", "3-label"):
        assert {p.name for p in (exported / step).iterdir()} == {
            "0.0-1", "0.2-1", "0.4-0", "0.4-1", "0.6-0", "0.6-1", "0.8-1", "1.0-1",
        }  # fmt: skip
    for step in steps:
        assert f"`{step}`" in (exported / "README.md").read_text(encoding="utf-8")


def test_scripts_are_shell_and_sbatch(exported: Path) -> None:
    scripts = sorted(exported.glob("*.sh"))
    assert len(scripts) == 7
    for path in scripts:
        subprocess.run(["bash", "-n", path], check=True)
        assert os.access(path, os.X_OK)
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "#!/bin/bash"
        first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
        options = [line.split()[1] for line in lines[:first] if line.startswith("#SBATCH")]
        assert [option.partition("=")[0] for option in options] == [
            "--job-name", "--ntasks", "--cpus-per-task", "--time",
        ]  # fmt: skip
        assert f"--job-name=quickstart-{path.stem}" in options


def test_a_script_finds_its_folder_when_slurm_runs_a_copy(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "slurm_script"
    text = (exported / "6-evaluate.sh").read_text(encoding="utf-8")
    copy.write_text(text.partition('"$python" tools')[0] + "pwd\n", encoding="utf-8")
    environment = {**os.environ, "SLURM_SUBMIT_DIR": str(exported)}
    done = subprocess.run(
        ["bash", copy],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
        check=True,
        encoding="utf-8",
    )
    assert Path(done.stdout.strip()) == exported


def test_nothing_in_it_names_ilmlip_as_a_module(exported: Path) -> None:
    for path in [*exported.rglob("*.py"), *exported.glob("*.sh")]:
        assert "ilmlip" not in path.read_text(encoding="utf-8")
    assert {p.name for p in (exported / "tools").iterdir()} == {p.name for p in TOOLS.glob("*.py")}


def test_splits_are_those_of_the_stage(exported: Path) -> None:
    plan = json.loads((exported / "4-dataset/train-0.4+0.6/split.json").read_text(encoding="utf-8"))
    formulas, steps = [], []
    for source in plan["from"]:
        folder = (exported / source["file"]).parent
        formula = read(folder / "structure.extxyz").get_chemical_formula()
        wanted = json.loads((folder / "frames.json").read_text(encoding="utf-8"))["steps"]
        steps.append([wanted[i] for i in source["frames"]])
        formulas += [formula] * len(source["frames"])
    assert steps == [[200, 400, 600, 800, 1000]] * 2
    data = load(QUICK).dataset
    found = stratified(_by_alphabet(formulas), data.validation_fraction, data.seed)
    assert plan["split"] == found
    assert len(found["val"]) == 2
    tests = json.loads((exported / "4-dataset/test-0.4/split.json").read_text(encoding="utf-8"))
    assert tests["split"] == {"test": [0, 1, 2, 3, 4]}
    assert [source["file"] for source in tests["from"]] == ["3-label/0.4-1/labelled.extxyz"]


def _by_alphabet(formulas: list[str]) -> list[str]:
    """Formulas in the order of the alphabet, as frames of a dataset name theirs."""
    from ase.formula import Formula

    counts = [Formula(formula).count() for formula in formulas]
    return ["".join(f"{e}{n}" for e, n in sorted(count.items())) for count in counts]


def test_trainings_read_the_data_where_it_is(exported: Path) -> None:
    folder = exported / "5-train/0.4+0.6-seed1"
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert config["data"]["train_file_path"] == "../../4-dataset/train-0.4+0.6/train.extxyz"
    assert config["data"]["val_file_path"] == "../../4-dataset/train-0.4+0.6/val.extxyz"
    assert config["training_module"]["model"]["type_names"] == ["C", "F", "H", "Li", "N", "P"]
    how = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert how == {"shifts": "least_squares", "refit_shifts": True}
    asked = json.loads((exported / "6-evaluate/evaluations.json").read_text(encoding="utf-8"))
    assert len(asked) == 6 * 6
    for one in asked:
        assert (exported / one["folder"]).is_dir()
        assert (exported / one["test"]).parent.is_dir()


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    spec = load(QUICK)
    plan = compile_study([spec])
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(SpecError, match=r"command line: .* is not empty \(it holds mine.txt\)"):
        write_export(plan, [spec], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(SpecError, match="is a file; name a new or an empty folder"):
        write_export(plan, [spec], tmp_path / "mine.txt")
    with pytest.raises(SpecError, match="cannot be written"):
        write_export(plan, [spec], tmp_path / "mine.txt" / "below")


def test_what_is_said_of_many_folders_is_said_once(tmp_path: Path) -> None:
    spec = load(["quickstart", "scale=smoke", "dft=gfn1_xtb"])
    notes = write_export(compile_study([spec]), [spec], tmp_path / "native")
    (one,) = [note for note in notes if "native input" in note]
    assert "(8 folders: 3-label/0.4-0, 3-label/0.6-0, 3-label/0.0-1, " in one
    assert len(notes) == len(set(notes))


def test_engines_and_shells_read_ascii_alone(exported: Path) -> None:
    """Programs that read by the locale find nothing in an export that only some locales have."""
    read = [p for p in exported.rglob("*") if p.is_file() and p.parent.name != "tools"]
    read = [p for p in read if p.name not in ("README.md", "study.yaml")]
    assert len(read) > 20 and all(path.read_bytes().isascii() for path in read)
    for one in exported.glob("*.sh"):
        assert "\nexport PYTHONUTF8=1" in one.read_text(encoding="utf-8")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    spec = load(QUICK)
    write_export(compile_study([spec]), [spec], tmp_path)
    assert (tmp_path / "run_all.sh").exists()


def test_points_share_what_they_have_in_common(tmp_path: Path) -> None:
    specs = [load([*QUICK, f"model.r_max={r}", "model.seeds=[1]"]) for r in (4.0, 5.0)]
    plan = compile_study(specs)
    write_export(plan, specs, tmp_path)
    layout = lay_out(plan)
    assert sum(1 for _ in tmp_path.glob("2-sample/*/in.lammps")) == 8
    configs = sorted(tmp_path.glob("5-train/*/config.yaml"))
    radii = [
        yaml.safe_load(c.read_text(encoding="utf-8"))["training_module"]["model"]["r_max"]
        for c in configs
    ]
    assert sorted(radii) == [4.0, 4.0, 5.0, 5.0]
    asked = json.loads((tmp_path / "6-evaluate/evaluations.json").read_text(encoding="utf-8"))
    assert len(asked) == sum(task.stage == "evaluate" for task in plan)
    assert len({(one["model"], one["seed"], one["composition"]) for one in asked}) == len(asked)
    table = (tmp_path / "5-train/models.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) == 1 + len(layout.models)
    assert "2 variants" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_points_of_other_boxes_have_folders_of_their_own(tmp_path: Path) -> None:
    specs = [load([*QUICK, f"compositions.pairs={n}", "model.seeds=[1]"]) for n in (5, 10)]
    write_export(compile_study(specs), specs, tmp_path)
    sizes = [len(read(p)) for p in tmp_path.glob("3-label/0.4-0-*/structure.extxyz")]
    assert sorted(sizes) == [76, 152] or len(set(sizes)) == 2
    starts = [
        (p.parent.name, p.read_text(encoding="utf-8").strip())
        for p in tmp_path.glob("2-sample/*/start.txt")
    ]
    assert len({start for _, start in starts}) == len(starts) == 16
    assert all((tmp_path / start).parent.is_dir() for _, start in starts)


def test_time_limits() -> None:
    known = {1.0: "00:10:00", 3600.0: "03:00:00", 40 * 3600.0: "120:00:00"}
    for seconds, limit in known.items():
        assert time_limit(Job("study", "2-sample", 1, seconds, True)) == limit
    guess = Job("study", "2-sample", 1, 3600.0, False)
    assert time_limit(guess) == "10:00:00"
    assert "The time limit is a guess" in script(guess)


def test_test_frames_of_the_same_trajectory_are_later_ones(tmp_path: Path) -> None:
    words = [*QUICK, "dataset.test=same_trajectory", "dataset.every=1"]
    spec = load(words)
    write_export(compile_study([spec]), [spec], tmp_path)
    wanted = json.loads((tmp_path / "3-label/0.4-0/frames.json").read_text(encoding="utf-8"))
    assert wanted["steps"] == [100 * i for i in range(1, 11)]
    (train,) = json.loads(
        (tmp_path / "4-dataset/train-0.4/split.json").read_text(encoding="utf-8")
    )["from"]
    (test,) = json.loads((tmp_path / "4-dataset/test-0.4/split.json").read_text(encoding="utf-8"))[
        "from"
    ]
    assert train["file"] == test["file"] == "3-label/0.4-0/labelled.extxyz"
    assert (train["frames"], test["frames"]) == ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9])


# --- labels that LAMMPS does not make


def other_plan() -> Plan:
    """One structure of the quickstart, two of its frames labelled by another engine."""
    whole = compile_study([load(QUICK)])
    plan = Plan("other")
    sampled = next(task for task in whole if task.stage == "sample")
    needed = {sampled.key}
    for task in reversed(list(whole)):
        if task.key in needed:
            needed |= set(task.inputs())
    for task in whole:
        if task.key in needed:
            plan.add(task)
    about = dict(sampled.about)
    for frame in (1, 3):
        params = LabelParams(frame=frame, xtb={"scf_accuracy": 0.1, "electronic_temperature": 300})
        plan.add(Task("label", 1, params, {"trajectory": (sampled.key,)}, {}, about))
    plan.add(Task("probe", 1, Params(name="a")))
    return plan


def test_what_has_no_native_input_is_said_and_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    notes = write_export(other_plan(), [load(QUICK)], folder)
    (place,) = (folder / "3-label").iterdir()
    assert f"Labels by xtb have no native input (1 folder: 3-label/{place.name}). " in notes[0]
    assert notes[1] == "1 task of stage probe is not exported."
    assert not (folder / "5-train").exists() and not (folder / "6-evaluate.sh").exists()
    assert json.loads((place / "engine.json").read_text(encoding="utf-8"))["engine"] == "xtb"

    positions = _dump(folder / "2-sample" / place.name / "frames.dump", place)
    run = ["bash", str(folder / "3-label.sh")]
    # in a locale that knows ASCII alone
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **locale, "PYTHON": sys.executable}
    done = subprocess.run(
        run, capture_output=True, text=True, env=environment, check=False, encoding="utf-8"
    )
    assert done.returncode == 1
    assert "label 3-label/" in done.stderr and "labelled.extxyz" in done.stderr
    frames = read(place / "frames.extxyz", ":")
    assert len(frames) == 2
    for frame, expected in zip(frames, positions, strict=True):
        assert np.abs(frame.positions - expected).max() < 1e-8
        assert frame.cell.lengths() == pytest.approx([12.5] * 3, abs=1e-12)
    (place / "labelled.extxyz").write_text(
        (place / "frames.extxyz").read_text(encoding="utf-8"), encoding="utf-8"
    )
    done = subprocess.run(
        run, capture_output=True, text=True, env=environment, check=False, encoding="utf-8"
    )
    assert done.returncode == 0 and (place / "done").exists()


def _dump(path: Path, place: Path) -> list[np.ndarray]:
    """A LAMMPS dump of four steps; returns the positions at those wanted, 200 and 400."""
    rng = np.random.default_rng(1)
    atoms = len(read(place / "structure.extxyz"))
    found = {}
    with path.open("w", encoding="utf-8") as out:
        for step in (0, 100, 200, 400):
            found[step] = rng.uniform(-5, 20, (atoms, 3))
            out.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{atoms}\n")
            out.write("ITEM: BOX BOUNDS pp pp pp\n" + "1.25e0 1.375e1\n" * 3)
            out.write("ITEM: ATOMS id xu yu zu\n")
            for i, row in enumerate(found[step]):
                out.write(f"{i + 1} " + " ".join(f"{x:.12g}" for x in row) + "\n")
    return [found[200], found[400]]
