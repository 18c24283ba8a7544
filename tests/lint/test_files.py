"""Lint opens the files of imported labels, and speaks of nothing that they do not use."""

from __future__ import annotations

from pathlib import Path

from ase.io import write
from labelled_pairs import vibrating

from ilmlip.lint.run import lint
from ilmlip.plan.compile import plan_of
from ilmlip.spec.load import load_study

WORDS = ("dft=files", "scale=smoke", "compositions.salts=[LiPF6]", "compositions.fractions=[LiPF6]",
         "compositions.training=[[LiPF6]]")  # fmt: skip


def labelled(folder: Path) -> Path:
    """A file of twelve vibrating LiPF6 with labels by springs."""
    path = folder / "set.xyz"
    write(path, vibrating(), format="extxyz")
    return path


def of_files(path: Path, *more: str) -> dict[str, str]:
    """Lint's findings by code, with severity and message."""
    study = load_study([*WORDS, f"dft.files.paths=[{path}]", *more])
    return {f.code: f"{f.severity} {f.where} {f.message}" for f in lint(study, plan_of(study))}


def test_lint_looks_into_the_files(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    stress = "dft.files.stress_key=stress"
    quiet = of_files(path, stress, "model.r_max=3.9")
    assert not {"file-unreadable", "frame-unfit", "labels-impossible", "labels-implausible",
                "cutoff-box"} & set(quiet)  # fmt: skip
    wrong = of_files(path, stress, "dft.files.energy_unit=Ry", "dft.files.stress_sign=compression")
    assert wrong["labels-impossible"].startswith("error dft.files.paths.0 ")
    lacks = of_files(path, "dft.files.energy_key=dft")
    assert "error dft.files.paths.0 set.xyz, frame 0 (from 0), has no 'dft'" in lacks["frame-unfit"]
    dropped = of_files(path, "dft.files.energy_key=dft", "dft.files.on_bad=drop")
    assert dropped["frame-unfit"].startswith("warning")
    assert "error dft.files.stress_key" in of_files(path, "model.loss.stress=1")["stress-missing"]


def test_the_box_of_a_file_counts_and_no_other(tmp_path: Path) -> None:
    """Boxes of compositions.pairs are never built; those of the files have 8 Å."""
    path = labelled(tmp_path)
    assert "cutoff-box" not in of_files(path, "compositions.pairs=1", "model.r_max=3.9")
    assert (
        "box of 8.0 Å" in of_files(path, "compositions.pairs=99", "model.r_max=4.5")["cutoff-box"]
    )


def test_a_file_that_cannot_be_read_or_holds_other_molecules(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text("# written by hand\n" + text, encoding="utf-8")
    assert "line 1 is '# written by hand'" in of_files(path)["file-unreadable"]
    path.write_text("", encoding="utf-8")
    assert "holds no frame" in of_files(path)["frame-unfit"]
    path.write_text(text.replace("\nLi ", "\nNa "), encoding="utf-8")
    assert "frame 0" in of_files(path)["frame-unfit"]
