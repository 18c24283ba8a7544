"""A finding, and every code that one may have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
"""An info is shown by `ilmlip lint` alone, and never stops a run."""
ORDER: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or probably so, with a study."""

    code: str
    severity: Severity
    where: str
    """The field, such as compositions.training.0."""
    message: str

    def data(self) -> dict[str, str]:
        """As commands tell it."""
        return {k: str(v) for k, v in asdict(self).items()}


CODES: dict[str, str] = {
    "energy-span": "a test composition's energy is not determined by those trained on",
    "species-apart": "two species of a test never stand together in training",
    "cutoff-box": "r_max is longer than half a box (warning) or than a whole one (error)",
    "grid-narrow": "ions overlap on the grid that they are packed on",
    "stress-missing": "the loss weighs the stress, and the labels have none",
    "quantum-shifts": "several compositions of quantum labels without energies of single atoms",
    "l-max-md": "dynamics with a model of l_max below 2",
    "frames-correlated": "labelled frames are too close in time to be independent",
    "test-same-trajectory": "test frames come from a trajectory that is trained on",
    "scan-strained": "volume scans or rattles of frames of the force field, labelled by another engine",
    "npt-no-stress": "an NPT ensemble with a model that has not learnt the stress",
    "program-missing": "the program that labels is not on this machine",
    "pseudopotential-missing": "an element's pseudopotential is not on this machine, or another one",
    "calculator-missing": "a model from outside takes a calculator that is not installed",
    "compiler-missing": "models are to be compiled, and there is no C++ compiler",
    "file-unreadable": "a file of imported labels that cannot be read",
    "frame-unfit": "the first frame of a file of imported labels would be refused",
    "labels-impossible": "imported labels that cannot be in the units or signs that are declared",
    "labels-implausible": "imported labels that are unusual for the units that are declared",
    "slurm-limits": "time limits that leave jobs of Slurm's no time, or ranks that do not fit cores",
    "value-range": "a value outside of its physical range, perhaps in another unit",
    "timestep-bond": "too few time steps in a period of the fastest bond",
    "damping-time": "a damping time of unusually few or many time steps",
    "cutoff-bond": "the model's cutoff is within a bond",
    "ion-range": "a parameter of an ion outside of its physical range",
    "element-missing": "an element that the engine of the labels does not have",
    "sweep-no-effect": "a swept field that changes no task",
    "option-no-effect": "a typed option whose values are all stated by the file",
    "scale-differs": "values of the scale option that the file states differently (info)",
}
"""What each code is about."""
