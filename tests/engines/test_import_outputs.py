"""Outputs of pw.x and GPAW as they really are: whole, cut, unconverged, with smearing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command import PATIENCE
from outside import PSEUDO, require, require_pseudopotentials

from ilmlip.engines.files import Imported, frames
from ilmlip.engines.native_files import outcome
from ilmlip.errors import StageError
from ilmlip.spec.files import Reading
from ilmlip.units import RYDBERG

pytestmark = pytest.mark.engine
HYDROGEN = PSEUDO / "sssp_1.3.0_pbe_efficiency" / "H.upf"
INPUT = f"""&control
 calculation='md', nstep=4, dt=10, tprnfor=.true., tstress=.true.
 pseudo_dir='{HYDROGEN.parent}', outdir='./out'
/
&system
 ibrav=0, nat=2, ntyp=1, ecutwfc=20, occupations='smearing', smearing='gauss', degauss=0.3
/
&electrons
 conv_thr=1e-6
/
&ions
/
ATOMIC_SPECIES
H 1.0 {HYDROGEN.name}
K_POINTS gamma
CELL_PARAMETERS angstrom
4 0 0
0 4 0
0 0 4
ATOMIC_POSITIONS angstrom
H 1.5 2 2
H 2.3 2 2
"""
"""Two hydrogen atoms that move for four steps."""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    return pw(INPUT, tmp_path_factory.mktemp("pw"))


def pw(text: str, folder: Path) -> str:
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    require_pseudopotentials()
    done = subprocess.run(
        ["pw.x"], input=text, cwd=folder, capture_output=True, encoding="utf-8", check=False,
        timeout=PATIENCE,
    )  # fmt: skip
    return done.stdout


def read(folder: Path, text: str, **reading: str) -> list[Imported]:
    path = folder / "pw.out"
    path.write_text(text, encoding="utf-8")
    return list(frames(path, Reading(format="espresso-out", stress_key="stress", **reading)))


def test_every_step_of_pw_with_the_energy_that_forces_derive_from(
    output: str, tmp_path: Path
) -> None:
    """With smearing pw.x's total energy is E − TS; its internal energy is another number."""
    found = read(tmp_path, output)
    assert [one.fault for one in found] == [""] * 4
    free = [float(x) * RYDBERG for x in re.findall(r"^! +total energy += +(\S+)", output, re.M)]
    inner = re.findall(r"internal energy E=F\+TS += +(\S+)", output)
    energies = [one.label.energy for one in found if one.label]
    assert energies == pytest.approx(free, abs=1e-5)
    assert abs(energies[0] - float(inner[0]) * RYDBERG) > 1e-3
    moved = [one.atoms.positions for one in found if one.atoms]
    assert not np.allclose(moved[0], moved[3], atol=1e-3)


def test_a_step_of_pw_that_did_not_converge(output: str, tmp_path: Path) -> None:
    parts = output.split("convergence has been achieved")
    spoiled = "convergence has been achieved".join(parts[:2])
    spoiled += "convergence NOT achieved after" + "convergence has been achieved".join(parts[2:])
    assert [bool(one.fault) for one in read(tmp_path, spoiled)] == [False, True, False, False]


@pytest.mark.parametrize("must", [".true.", ".false."])
def test_pw_that_stops_at_its_most_iterations(must: str, tmp_path: Path) -> None:
    """Where it need not converge pw.x says that convergence has been achieved."""
    settings = f"conv_thr=1e-8, electron_maxstep=1, scf_must_converge={must}"
    text = INPUT.replace("conv_thr=1e-6", settings).replace("'md', nstep=4, dt=10", "'scf'")
    found = read(tmp_path, pw(text, tmp_path))
    assert len(found) == 1 and found[0].fault.startswith("did not converge")


def test_an_output_of_pw_that_breaks_off(output: str, tmp_path: Path) -> None:
    killed = output[: output.rindex("ATOMIC_POSITIONS")]
    found = read(tmp_path, killed)
    assert [bool(one.fault) for one in found] == [False] * 4 + [True]
    assert "ends without 'JOB DONE.'" in found[-1].fault
    inside = output[: output.rindex("!    total energy")]
    assert [bool(one.fault) for one in read(tmp_path, inside)][:4] == [False] * 3 + [True]
    both = read(tmp_path, killed + output)
    assert len([one for one in both if one.label]) == 8


OUTCAR = """ vasp.6.4.2 standin
 executed on  LinuxIFC date 2026.01.01  00:00:00
   NELM   =      3;   NELMIN=  2
"""
STEP = """--------------------------------------- Iteration      {n}(   1)  ---------
--------------------------------------- Iteration      {n}(   2)  ---------
--------------------------------------- Iteration      {n}(   3)  ---------
{end}
  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
"""
REACHED = "------------------------ aborting loop because EDIFF is reached ----"
MISSED = "------------------------ aborting loop EDIFF was not reached (unconverged) ----"


def test_what_an_outcar_says_of_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "OUTCAR"
    ends = [REACHED, MISSED, "", REACHED]
    text = OUTCAR + "".join(STEP.format(n=n + 1, end=end) for n, end in enumerate(ends))
    path.write_text(text, encoding="utf-8")
    said = outcome(path, "vasp-out")
    assert (said.steps, sorted(said.unconverged), said.cut) == (4, [1, 2], "")
    path.write_text(text + STEP.splitlines()[0].format(n=5) + "\n", encoding="utf-8")
    assert outcome(path, "vasp-out").cut == "ends inside a step"
    path.write_text(text + text, encoding="utf-8")
    with pytest.raises(StageError, match="holds 2 runs of VASP"):
        list(frames(path, Reading(format="vasp-out")))


def test_other_programs_say_when_they_did_not_converge(tmp_path: Path) -> None:
    path = tmp_path / "aims.out"
    path.write_text("Self-consistency cycle not converged.\n Have a nice day.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: a step did not converge"):
        outcome(path, "aims-output")
    path.write_text("something\n", encoding="utf-8")
    assert "ends without" in outcome(path, "aims-output").cut
