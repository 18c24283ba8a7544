"""GPAW: labels by plane waves in this very process. Optional extra `gpaw`; D3 is `dispersion`'s."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.elements import MULTIPLICITIES
from ilmlip.engines.labelling import Labelled, NotConvergedError, Session, same_box
from ilmlip.errors import StageError
from ilmlip.spec.dft import Gpaw, Rung

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.chemistry.forcefield import ForceField

LOG = "gpaw.txt"
PACKAGES = {"gpaw": "gpaw", "gpaw_data": "gpaw-data"}
"""Distributions by module; gpaw-data are the projector-augmented waves."""
MAX_STEPS = 100
"""Most iterations of the electrons (GPAW's own default is 333)."""


def lacks() -> str:
    """What is not installed, and the remedy; empty if all is."""
    missing = [name for module, name in PACKAGES.items() if find_spec(module) is None]
    if not missing:
        return ""
    return f"{', '.join(missing)} not installed; install the extra (in a checkout: make gpaw)"


def parameters(settings: Gpaw, rung: Rung | None = None) -> dict[str, Any]:
    """What GPAW is given: fixed occupations, as the ions' gap is wide; nothing symmetrised."""
    found: dict[str, Any] = {
        "mode": {"name": "pw", "ecut": settings.cutoff},
        "xc": "PBE",
        "kpts": {"size": settings.kpoints, "gamma": True},
        "symmetry": "off",
        "occupations": {"name": "fixed-uniform"},
        "convergence": {
            "energy": settings.energy_convergence,
            "density": settings.density_convergence,
        },
        "maxiter": rung.max_steps if rung and rung.max_steps else MAX_STEPS,
    }
    if rung and rung.mixing:
        found["mixer"] = {"beta": rung.mixing}
    return found


class GpawSession(Session):
    """GPAW, which goes on from the last density and wavefunctions while the cell is the same."""

    def __init__(self, settings: Gpaw, work: Path) -> None:
        if missing := lacks():
            raise StageError(f"gpaw_pbe_d3: {missing}")
        self._settings, self._work = settings, work
        self._calculator: Any = None
        self._last: tuple[Atoms, Rung | None] | None = None

    def label(self, atoms: Atoms, rung: Rung | None = None) -> Labelled:
        """One self-consistent calculation."""
        if self._last is None or self._last[1] != rung or not same_box(self._last[0], atoms):
            self._start(parameters(self._settings, rung))
        self._last = None
        frame = atoms.copy()
        energy = self._found(frame, "free_energy")
        forces, stress = self._found(frame, "forces"), self._found(frame, "stress")
        self._last = (frame, rung)
        return Labelled(float(energy), forces, np.asarray(stress, float)).checked("GPAW", LOG)

    def atom(self, element: str, edge: float, rung: Rung | None = None) -> float:
        """Spin-polarised in the ground state's multiplicity."""
        from ase import Atoms

        unpaired = MULTIPLICITIES[element] - 1
        # off the grid's symmetric points, so that a half-filled shell may choose its direction
        atom = Atoms(element, positions=[[0.37 * edge, 0.41 * edge, 0.43 * edge]],
                     cell=[edge] * 3, pbc=True, magmoms=[unpaired])  # fmt: skip
        chosen = parameters(self._settings, rung) | {
            "kpts": {"size": (1, 1, 1)},
            "occupations": {"name": "fermi-dirac", "width": 0.0, "fixmagmom": True},
        }
        self._last = None
        self._start(chosen)
        return float(self._found(atom, "free_energy"))

    def _start(self, chosen: dict[str, Any]) -> None:
        from gpaw import GPAW

        self.close()
        self._calculator = GPAW(**chosen, txt=str(self._work / LOG))

    def _found(self, atoms: Atoms, name: str) -> Any:
        """A property by ASE's names. Raises NotConvergedError, or what GPAW says went wrong."""
        from gpaw import KohnShamConvergenceError

        try:
            return self._calculator.get_property(name, atoms)
        except KohnShamConvergenceError:
            raise NotConvergedError(
                f"GPAW did not converge in {self._calculator.params.maxiter} steps "
                "(mixing and max_steps: dft.retries)",
                log=LOG,
            ) from None
        except Exception as error:  # whatever a stranger's program raises on an odd frame
            words = " ".join(str(error).split()) or type(error).__name__
            raise StageError(f"GPAW stopped: {words}", log=LOG) from error

    def tools(self) -> dict[str, str]:
        """The versions of GPAW and of its projector-augmented waves."""
        return {name: version(name) for name in PACKAGES.values()}

    def close(self) -> None:
        """Forget densities and wavefunctions."""
        self._calculator, self._last = None, None


def session(settings: Gpaw, work: Path, forcefield: ForceField | None) -> Session:
    """GPAW at work, its log in a folder."""
    return GpawSession(settings, work)
