"""D3 dispersion of a periodic box by simple-dftd3, added to engines that do not compute it alike.

pw.x adds its own, within dynamics too. CP2K, GPAW and VASP get the same numbers from here: the
damping, the three-body term and the cutoffs are pw.x's (Grimme et al., J. Chem. Phys. 132, 154104
(2010); Becke-Johnson damping: J. Comput. Chem. 32, 1456 (2011)).
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ilmlip.engines.labelling import Labelled, Session
from ilmlip.errors import StageError
from ilmlip.spec.dft import D3, Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from ilmlip.engines.labelling import Step
    from ilmlip.spec.derived import Aimd, Relax

DAMPING = {"d3": "d3zero", "d3bj": "d3bj"}
FUNCTIONAL = "PBE"
PAIRS, TRIPLES = np.sqrt(9000.0), 40.0
"""Cutoffs in Bohr of pairs, and of triples and coordination numbers: those of Grimme's dftd3, which
pw.x and VASP have too."""


def d3_energy(d3: D3, atoms: Atoms) -> Labelled:
    """Energy (eV), forces (eV/Å) and stress (eV/Å³, tension positive) of PBE-D3 for a periodic box.

    Raises StageError for an element without D3 coefficients.
    """
    from ase.units import Bohr
    from dftd3.ase import DFTD3

    calculator = DFTD3(
        method=FUNCTIONAL,
        damping=DAMPING[d3.damping],
        params_tweaks={"method": FUNCTIONAL, "atm": d3.three_body},
        realspace_cutoff={"disp2": PAIRS * Bohr, "disp3": TRIPLES * Bohr, "cn": TRIPLES * Bohr},
    )
    try:
        calculator.calculate(atoms.copy(), ["energy", "forces", "stress"])
    except Exception as error:  # whatever the library raises on an element that it lacks
        raise StageError(f"simple-dftd3 stopped: {error or type(error).__name__}") from error
    found = calculator.results
    label = Labelled(float(found["energy"]), found["forces"], np.asarray(found["stress"], float))
    return label.checked("simple-dftd3")


class Dispersed(Session):
    """A session whose labels get D3 on top; a single atom has none."""

    def __init__(self, session: Session, d3: D3) -> None:
        self._session, self._d3 = session, d3

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """The session's label plus D3; its terms are `pbe` and `d3`."""
        pbe, d3 = self._session.label(atoms, rung), d3_energy(self._d3, atoms)
        stress = None if pbe.stress is None or d3.stress is None else pbe.stress + d3.stress
        return Labelled(
            pbe.energy + d3.energy,
            pbe.forces + d3.forces,
            stress,
            {"pbe": pbe.energy, "d3": d3.energy},
        )

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """The session's."""
        return self._session.atom(element, edge, rung)

    def native(
        self,
        atoms: Atoms,
        moves: Aimd | Relax,
        temperature: float,
        rung: Rung | None = None,
        earlier: Path | None = None,
    ) -> Sequence[Step] | None:
        """None: an engine that moves atoms itself would do so without D3."""
        return None

    def tools(self) -> dict[str, str]:
        """The session's, and simple-dftd3."""
        return {**self._session.tools(), "dftd3": version("dftd3")}

    def files(self) -> tuple[str, ...]:
        """The session's."""
        return self._session.files()

    def close(self) -> None:
        """End the session."""
        self._session.close()
