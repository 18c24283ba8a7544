"""Labels kept one by one: taken again only whole, and only where they belong."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from classical import Classical

from ilmlip.chemistry.boxes import read_one, write
from ilmlip.engines import xtb
from ilmlip.engines.labelling import Labelled
from ilmlip.engines.process import KilledError
from ilmlip.hashing import file_digest
from ilmlip.spec import dft
from ilmlip.spec.derived import Aimd, VolumeScan
from ilmlip.stages import series
from ilmlip.stages.base import Given, Inputs
from ilmlip.stages.kept_labels import FOLDER, Kept, KeptLabels, OtherEngineError

FRAME = Path(__file__).parents[1] / "data" / "lipf6.extxyz"


def one(seed: int = 0) -> Kept:
    rng = np.random.default_rng(seed)
    label = Labelled(rng.normal(), rng.normal(size=(8, 3)), rng.normal(size=6), {"lj": 0.1})
    return Kept(label, [{"changed": {}, "reason": ""}], {"pw": "7"}, {"pw.in": "text\n"})


def test_a_label_comes_back_to_the_bit_with_its_files(tmp_path: Path) -> None:
    atoms, kept = read_one(FRAME, 0), one()
    KeptLabels(tmp_path, "a").write(3, atoms, kept)
    again = KeptLabels(tmp_path, "a")
    found = again.read(3, atoms)
    assert found is not None and found.label.energy == kept.label.energy
    assert (found.label.forces == kept.label.forces).all()
    assert found.label.stress is not None and (found.label.stress == kept.label.stress).all()
    assert (found.label.terms, found.tries, found.tools) == ({"lj": 0.1}, kept.tries, kept.tools)
    assert (tmp_path / "pw.in").read_text(encoding="utf-8") == "text\n" and again.taken == 1


def test_what_does_not_belong_here_is_not_taken(tmp_path: Path) -> None:
    atoms = read_one(FRAME, 0)
    KeptLabels(tmp_path, "a").write(0, atoms, one())
    kept = KeptLabels(tmp_path, "a")
    moved, wider, other = atoms.copy(), atoms.copy(), atoms.copy()
    moved.positions[2, 1] += 1e-6
    wider.set_cell(atoms.cell.array * (1 + 1e-7))
    other.numbers[0] += 1
    assert [kept.read(0, a) for a in (moved, wider, other, atoms[:7])] == [None] * 4
    assert kept.read(1, atoms) is None and KeptLabels(tmp_path, "b").read(0, atoms) is None
    assert kept.read(0, atoms) is not None


def test_a_damaged_file_is_not_taken(tmp_path: Path) -> None:
    """Any byte of it changed, or its end missing: no label, or what was written."""
    atoms, kept = read_one(FRAME, 0), one()
    KeptLabels(tmp_path, "a").write(0, atoms, kept)
    path = tmp_path / FOLDER / "000000.json"
    whole, dice = path.read_bytes(), np.random.default_rng(1)
    refused = 0
    for at in dice.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(dice.integers(8))
        path.write_bytes(damaged)
        found = KeptLabels(tmp_path, "a").read(0, atoms)
        refused += found is None
        assert found is None or (found.label.forces == kept.label.forces).all()
    assert refused > 250
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert KeptLabels(tmp_path, "a").read(0, atoms) is None


def test_labels_of_two_versions_are_not_mixed(tmp_path: Path) -> None:
    atoms = read_one(FRAME, 0)
    KeptLabels(tmp_path, "a").write(0, atoms, one())
    kept = KeptLabels(tmp_path, "a")
    assert kept.read(0, atoms) is not None
    newer = Kept(one(1).label, [], {"pw": "8"}, {})
    with pytest.raises(OtherEngineError):
        kept.write(1, atoms, newer)
    kept.forget()
    kept.write(0, atoms, newer)
    assert kept.taken == 0


def test_a_new_version_of_the_engine_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of five labels are of another version: all are computed again, by one version."""
    write(tmp_path / "trajectory.extxyz", [read_one(FRAME, 0)])
    given = Given("sample-1", tmp_path, {})
    settings = dft.Xtb(scf_accuracy=0.1, electronic_temperature=300.0)
    params = series.Params(frame=0, xtb=settings, aimd=Aimd(steps=4), temperature=300.0)
    whole, folder = tmp_path / "whole", tmp_path / "new"
    whole.mkdir()
    series.run(params, Inputs({"trajectory": (given,)}), whole)
    labels = whole / FOLDER
    for number in (3, 4):
        (labels / f"{number:06d}.json").unlink()
    monkeypatch.setattr(xtb, "tools", lambda: {"tblite": "99"})
    folder.mkdir()
    left = Inputs({"trajectory": (given,)}, earlier=whole)
    output = series.run(params, left, folder)
    assert output.tools == {"tblite": "99"} and output.notes["labels_taken_over"] == 0
    assert len(list((folder / FOLDER).iterdir())) == 5


@pytest.mark.parametrize("kind", ["volume_scan", "aimd"])
def test_an_engine_that_was_killed_is_no_end_of_a_series(
    classical: Classical, tmp_path: Path, kind: str
) -> None:
    """The fourth process of LAMMPS is killed: the task fails, and goes on when it is run again."""
    moves: dict[str, object] = {"volume_scan": VolumeScan(densities=(1.2, 1.6), points=8)}
    if kind == "aimd":
        moves = {"aimd": Aimd(steps=7), "temperature": 300.0}
    params = series.Params.model_validate(
        {"frame": 0, "opls": dft.Opls(cutoff=9.0, kspace_accuracy=1e-5), **moves}
    )
    roles = {"trajectory": (classical.sample,), "forcefield": (classical.forcefield,)}
    folders = [tmp_path / name for name in ("whole", "killed", "on")]
    for folder in folders:
        folder.mkdir()
    whole = series.run(params, Inputs(roles), folders[0])
    over = threading.Event()

    def kill_one() -> None:
        while not over.is_set():
            if len(list((folders[1] / FOLDER).glob("*.json"))) >= 3:
                for child in psutil.Process().children():
                    with suppress(psutil.Error):
                        # this process may have others, which tests before it have started
                        if Path(child.cwd()).is_relative_to(folders[1]):
                            child.kill()
                            return
            time.sleep(0.001)

    thread = threading.Thread(target=kill_one)
    thread.start()
    try:
        with pytest.raises(KilledError, match="was killed by SIGKILL"):
            series.run(params, Inputs(roles), folders[1])
    finally:
        over.set()
        thread.join()
    kept = len(list((folders[1] / FOLDER).glob("*.json")))
    assert 3 <= kept < 8
    made = series.run(params, Inputs(roles, earlier=folders[1]), folders[2])
    assert made.notes["labels_taken_over"] == kept and made.values == whole.values
    for name in whole.files:
        assert file_digest(folders[0] / name) == file_digest(folders[2] / name)
