"""Programs of several ranks inside a job, as the machine's profile starts them there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import PATIENCE
from outside import PSEUDO, require

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.usefixtures("cluster_of_one")]
ARGON = """units lj
lattice fcc 0.8
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 1.0
pair_style lj/cut 2.5
pair_coeff 1 1 1 1
thermo_style custom step pe
thermo_modify format float %.10g
run 0
"""
HYDROGEN = """&control
 calculation='scf', pseudo_dir='{pseudo}', outdir='./tmp', prefix='h'
/
&system
 ibrav=1, celldm(1)=10, nat=2, ntyp=1, ecutwfc=30
/
&electrons
/
ATOMIC_SPECIES
H 1.0 {name}
ATOMIC_POSITIONS angstrom
H 0 0 0
H 0 0 0.74
K_POINTS gamma
"""
MOLECULE = """
from ase import Atoms
from ilmlip.engines.labelling import open_session
from ilmlip.spec.dft import Cp2k
settings = Cp2k(
    cutoff=200, rel_cutoff=40, eps_scf=1e-7, basis="DZVP-MOLOPT-SR-GTH", potential="GTH-PBE",
    xc_derivative="pw",
)
atoms = Atoms("H2", positions=[[3, 3, 3], [3, 3, 3.74]], cell=[6, 6, 6], pbc=True)
with open_session("cp2k", settings, Path()) as session:
    first = session.label(atoms).energy
    atoms.positions[1, 2] += 0.02
    Path("energies").write_text(f"{first} {session.label(atoms).energy}")
"""


def in_a_job(folder: Path, profile: str, code: str, ranks: int) -> None:
    """Run Python in a job of so many tasks, in a folder, under a profile."""
    (folder / "profile.yaml").write_text(profile, encoding="utf-8")
    script = folder / "job.py"
    script.write_text(
        f"import os\nfrom pathlib import Path\nos.chdir({str(folder)!r})\n{code}", encoding="utf-8"
    )
    done = subprocess.run(
        [
            "sbatch", "--wait", "-n", str(ranks), "-o", str(folder / "job.out"),
            "--wrap", f"{sys.executable} {script}",
        ],
        env={**os.environ, "ILMLIP_PROFILE": str(folder / "profile.yaml")},
        capture_output=True, text=True, check=False, timeout=PATIENCE,
     encoding="utf-8")  # fmt: skip
    assert done.returncode == 0, (folder / "job.out").read_text(encoding="utf-8") + done.stderr


def test_lammps_of_two_ranks(tmp_path: Path) -> None:
    """The LAMMPS of ilmlip's own environment (MPICH), by srun."""
    energies = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        (folder / "in.lammps").write_text(ARGON, encoding="utf-8")
        profile = "programs: {lammps: {slurm_launcher: 'srun --mpi=pmi2 -n {ranks} -c {threads}'}}"
        code = "from ilmlip.engines import lammps\nlammps.run(Path())\n"
        in_a_job(folder, profile, code, ranks)
        log = (folder / "log.lammps").read_text(encoding="utf-8")
        grid = re.search(r"(\d+) by (\d+) by (\d+) MPI processor grid", log)
        assert grid is not None
        assert sorted(map(int, grid.groups())) == [1, 1, ranks]
        found = re.search(r"Step\s+PotEng\s*\n\s*0\s+(\S+)", log)
        assert found is not None
        energies.append(float(found.group(1)))
    assert energies[0] == pytest.approx(energies[1], rel=1e-9)


def test_pw_of_two_ranks(tmp_path: Path) -> None:
    """Debian's pw.x (Open MPI), by mpirun, which starts its ranks where Slurm says."""
    require(shutil.which("pw.x") is not None, "pw.x (Debian: quantum-espresso)")
    files = sorted(PSEUDO.glob("sssp*/[Hh].*upf")) + sorted(PSEUDO.glob("sssp*/[Hh].*UPF"))
    if not files:
        pytest.skip("no pseudopotential of hydrogen here")
    (tmp_path / "pw.in").write_text(
        HYDROGEN.format(pseudo=files[0].parent, name=files[0].name), encoding="utf-8"
    )
    code = (
        "from ilmlip.engines.process import execute, program_environment, program_words\n"
        "execute([*program_words('pw.x'), '-in', 'pw.in'], Path(), 'pw.out',\n"
        "        environment=program_environment('pw.x'))\n"
    )
    in_a_job(tmp_path, "programs: {pw.x: {slurm_launcher: 'mpirun -np {ranks}'}}", code, 2)
    out = (tmp_path / "pw.out").read_text(encoding="utf-8")
    assert re.search(r"running on\s+2 processors", out)
    energy = re.search(r"!\s+total energy\s+=\s+(\S+) Ry", out)
    assert energy is not None and float(energy.group(1)) == pytest.approx(-2.332, abs=0.001)


def test_cp2k_shell_of_two_ranks(tmp_path: Path) -> None:
    """Debian's cp2k_shell (Open MPI), which is talked to while it runs."""
    there = shutil.which("cp2k_shell.psmp") is not None
    require(there, "cp2k_shell.psmp (Debian: cp2k, cp2k-data)")
    energies = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        in_a_job(
            folder, "programs: {cp2k: {slurm_launcher: 'mpirun -np {ranks}'}}", MOLECULE, ranks
        )
        found = re.search(
            r"message passing processes\s+(\d+)", (folder / "cp2k.out").read_text(encoding="utf-8")
        )
        assert found is not None and int(found.group(1)) == ranks
        energies.append(
            [float(word) for word in (folder / "energies").read_text(encoding="utf-8").split()]
        )
    assert energies[0] == pytest.approx(energies[1], abs=1e-4)
    assert 1e-3 < abs(energies[0][1] - energies[0][0]) < 0.1  # eV, of a bond 0.02 Å longer
