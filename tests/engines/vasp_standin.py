"""A stand-in for VASP, which is not free: reads VASP's inputs, leaves files in VASP's formats.

The physics is ASE's Lennard-Jones, blind to elements. It converges in six steps, in four from a
WAVECAR; with NELM below that it ends unconverged as VASP does, with exit status 0. Each line of
POTCAR says an element, as a stand-in for the real file.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.io import read
from ase.units import GPa

COLD, WARM = 6, 4
GAP = 0.01
"""eV between the free energy and the energy extrapolated to zero smearing."""


def potential() -> LennardJones:
    return LennardJones(sigma=1.6, epsilon=0.05, rc=3.5, smooth=True)


def vectors(name: str, rows: object) -> str:
    lines = "".join(f"<v>{' '.join(f'{x:.10f}' for x in row)}</v>\n" for row in rows)  # type: ignore[attr-defined]
    return f'<varray name="{name}">\n{lines}</varray>\n'


def structure(atoms: Atoms, attribute: str = "") -> str:
    cell = vectors("basis", atoms.cell.array)
    places = vectors("positions", atoms.get_scaled_positions(wrap=False))
    return f"<structure{attribute}>\n<crystal>\n{cell}</crystal>\n{places}</structure>\n"


def energies(free: float) -> str:
    """The three energies, as VASP writes them after each step and at the end."""
    shown = {"e_fr_energy": free, "e_wo_entrp": free + 2 * GAP, "e_0_energy": free + GAP}
    lines = "".join(f'<i name="{name}">{value:.10f}</i>\n' for name, value in shown.items())
    return f"<energy>\n{lines}</energy>\n"


def vasprun(atoms: Atoms, steps: int) -> str:
    atoms.calc = potential()
    stress = -atoms.get_stress(voigt=False) / (0.1 * GPa)  # kbar, compression positive
    free = atoms.get_potential_energy()
    entries = "".join(f"<rc><c>{s}</c><c>1</c></rc>" for s in atoms.get_chemical_symbols())
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
        '<generator><i name="program" type="string">vasp </i>'
        '<i name="version" type="string">6.4.2-standin  </i></generator>\n'
        '<kpoints><varray name="kpointlist"><v>0 0 0</v></varray>'
        '<varray name="weights"><v>1</v></varray></kpoints>\n'
        '<parameters><i name="PSTRESS">0.0</i></parameters>\n'
        f'<atominfo><array name="atoms"><set>{entries}</set></array></atominfo>\n'
        + structure(atoms, ' name="initialpos"')
        + "<calculation>\n"
        + "".join(f"<scstep>{energies(free)}</scstep>\n" for _ in range(steps))
        + structure(atoms)
        + vectors("forces", atoms.get_forces())
        + vectors("stress", stress)
        + energies(free)
        + "</calculation>\n</modeling>\n"
    )


def main() -> None:
    """Behave as the words on the command line say."""
    behaviour = sys.argv[1] if len(sys.argv) > 1 else ""
    if behaviour == "hangs":
        time.sleep(60)
    tags = dict(
        line.split(" = ") for line in Path("INCAR").read_text(encoding="utf-8").splitlines()
    )
    atoms = read("POSCAR", format="vasp")
    order = list(dict.fromkeys(atoms.get_chemical_symbols()))
    if Path("POTCAR").read_text(encoding="utf-8").split() != order:
        sys.exit("ERROR: the type information on POSCAR and POTCAR are incompatible")
    if behaviour == "stops":
        sys.exit("VERY BAD NEWS! internal error in subroutine SGRCON")
    if behaviour == "dies":
        Path("vasprun.xml").write_text(vasprun(atoms, COLD)[:-900], encoding="utf-8")
        os._exit(0)
    needed = WARM if tags["ISTART"] == "1" and Path("WAVECAR").exists() else COLD
    steps = min(needed, int(tags["NELM"]))
    Path("vasprun.xml").write_text(vasprun(atoms, steps), encoding="utf-8")
    if behaviour != "no-outcar":
        reached = "because EDIFF is reached" if steps == needed else "EDIFF was not reached"
        Path("OUTCAR").write_text(
            f"------------------------ aborting loop {reached} ----\n", encoding="utf-8"
        )
    Path("WAVECAR").write_text("waves", encoding="utf-8")


if __name__ == "__main__":
    main()
