"""Stage `imported`: labelled frames that exist already, read, recognised and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.boxes import labelled, mark, write
from ilmlip.chemistry.connectivity import UnknownIonError, composition_of, formula_of, ions_in
from ilmlip.engines.files import STRESS, frames
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.observables.label_checks import Slope, net_force, not_finite, off_median, stress_slopes
from ilmlip.record import Record, field
from ilmlip.spec.files import Reading
from ilmlip.stages.base import Inputs, Output, Resources, Stage

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.engines.labelling import Labelled

FRAMES = "frames.extxyz"
SHOWN = 5
"""Bad frames that a message names."""
HINT = 0.1
"""How near a slope must be to that of another unit for it to be named."""


class Params(Record):
    """How the files are read, what they are, and which compositions there may be."""

    reading: Reading = field("How labels are read and what is refused")
    sha256: tuple[str, ...] = field("SHA-256 of each file")
    compositions: dict[str, dict[str, int]] = field(
        "Number of each ion (in a crystal: element) of each composition; only the ratios matter"
    )
    ions: dict[str, tuple[str, ...]] = field("Elements of each ion's atoms; none of a crystal")


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Read the files of `how`; writes frames.extxyz, in eV, Å and tension as positive.

    Raises StageError for a file that is another than the key was made of, for frames that fail a
    check (unless they are to be dropped), and for a stress that is not the energy's derivative.
    """
    read = _read(params, [Path(path) for path in inputs.how.get("paths", ())])
    names = [name for name, _, _ in read]
    atoms, labels = [a for _, a, _ in read], [label for _, _, label in read]
    compositions, faults = _recognise(atoms, params)
    faults = _faults(names, atoms, labels, compositions, params.reading) | faults
    if faults and params.reading.on_bad == "refuse":
        shown = [f"{names[i]}, {faults[i]}" for i in sorted(faults)[:SHOWN]]
        raise StageError(
            f"{len(faults)} of {len(read)} frames are not fit: {'; '.join(shown)}"
            f"{' …' if len(faults) > SHOWN else ''}. Mend them, or leave them out: "
            "dft.files.on_bad=drop"
        )
    kept = [i for i in range(len(read)) if i not in faults]
    if not kept:
        why = f": {names[0]} {faults[0]}" if faults else ""
        raise StageError(f"no frame of {len(read)} is left{why}")
    slopes = _slopes([atoms[i] for i in kept], [labels[i] for i in kept], params.reading)
    write(work / FRAMES, [_labelled(atoms[i], labels[i]) for i in kept])
    mine = [str(compositions[i]) for i in kept]
    values: dict[str, Any] = {
        "frames": {
            label: [n for n, one in enumerate(mine) if one == label]
            for label in params.compositions
        },
        "dropped": [f"{names[i]}, {faults[i]}" for i in sorted(faults)],
        "stress_slopes": [
            {"frames": len(one.frames), "slope": one.slope, "offset_eV_A3": one.offset}
            for one in slopes
        ],
    }
    return Output((FRAMES,), values)


def _read(params: Params, paths: Sequence[Path]) -> list[tuple[str, Atoms, Labelled]]:
    """Name, atoms and label of every frame of all files."""
    found: list[tuple[str, Atoms, Labelled]] = []
    for path, expected in zip(paths, params.sha256, strict=True):
        if not path.is_file():
            raise StageError(f"{path} is gone (dft.files.paths)")
        if file_digest(path) != expected:
            raise StageError(f"{path} has changed since the study was planned; run it again")
        found += frames(path, params.reading)
    return found


def _recognise(atoms: Sequence[Atoms], params: Params) -> tuple[list[str | None], dict[int, str]]:
    """The composition of each frame, its ions written into it, and what is wrong by frame."""
    found: list[str | None] = []
    faults: dict[int, str] = {}
    known = ", ".join(params.compositions)
    for number, one in enumerate(atoms):
        formula = formula_of(one.get_chemical_symbols())
        label = None
        try:
            ids, types = ions_in(one, params.ions)
        except UnknownIonError as error:
            faults[number] = str(error)
        else:
            one.set_array("ion_id", np.array(ids))
            one.set_array("ion_type", np.array(types))
            stated = one.info.pop("composition", None)
            label = stated or composition_of(types, ids, params.compositions)
            if label not in params.compositions:
                said = (
                    f"says {stated!r}"
                    if stated
                    else f"({formula}) is of no composition of the spec"
                )
                faults[number] = f"{said}; there are {known}"
        found.append(label)
    return found, faults


def _faults(
    names: Sequence[str],
    atoms: Sequence[Atoms],
    labels: Sequence[Labelled],
    compositions: Sequence[str | None],
    reading: Reading,
) -> dict[int, str]:
    """What is wrong with each frame that fails a check."""
    found: dict[int, str] = {}
    seen: dict[str, int] = {}
    energies = [label.energy / len(one) for label, one in zip(labels, atoms, strict=True)]
    spread = off_median(energies, [str(label) for label in compositions])
    for i, (one, label) in enumerate(zip(atoms, labels, strict=True)):
        if not one.pbc.all() or one.cell.rank < 3:
            found[i] = "is not periodic in three directions, or has no cell"
        elif not_finite(np.array(label.energy), label.forces, label.stress, one.positions):
            found[i] = "has a value that is not a finite number"
        elif abs(spread[i]) > reading.most_spread:
            found[i] = (
                f"is {spread[i]:+.3f} eV/atom from the median of its composition; at most "
                f"{reading.most_spread:g} (dft.files.most_spread)"
            )
        elif (net := net_force(label.forces)) > reading.most_net_force:
            found[i] = (
                f"has a net force of {net:.3g} eV/Å per atom; at most {reading.most_net_force:g} "
                "(dft.files.most_net_force)"
            )
        else:
            own = mark(one.get_chemical_symbols(), one.cell.array, one.positions)
            if own in seen:
                found[i] = f"is {names[seen[own]]} once more"
            seen.setdefault(own, i)
    return found


def _slopes(atoms: Sequence[Atoms], labels: Sequence[Labelled], reading: Reading) -> list[Slope]:
    """The stress against dE/dV, where frames allow. Raises StageError if they contradict."""
    if reading.stress_key is None:
        return []
    slopes = stress_slopes(
        [one.cell.array for one in atoms],
        [one.get_scaled_positions(wrap=False) for one in atoms],
        [label.energy for label in labels],
        [float(label.stress[:3].mean()) for label in labels if label.stress is not None],
    )
    for one in slopes:
        if abs(one.slope - 1) > reading.most_slope_error:
            raise StageError(
                f"the stress is not the derivative of the energy: over {len(one.frames)} volumes of "
                f"one structure it follows {one.slope:.4g} × dE/dV. {_hint(one.slope, reading)}"
            )
    return slopes


def _hint(slope: float, reading: Reading) -> str:
    """Which declaration would make the slope 1."""
    other = "compression" if reading.stress_sign == "tension" else "tension"
    sign = f"dft.files.stress_sign={other}" if slope < 0 else ""
    size = abs(slope)
    if abs(size - 1) < HINT:
        return f"Its sign is the other: {sign}"
    if reading.stress_is == "stress":
        here = STRESS[reading.stress_unit]
        for unit, factor in STRESS.items():
            if unit != reading.stress_unit and abs(size * factor / here - 1) < HINT:
                return f"It looks like {unit}: dft.files.stress_unit={unit} {sign}".rstrip()
    return "Look at dft.files.stress_is, stress_unit, stress_sign and energy_unit"


def _labelled(atoms: Atoms, label: Labelled) -> Atoms:
    results: dict[str, Any] = {"energy": label.energy, "forces": label.forces}
    if label.stress is not None:
        results["stress"] = label.stress
    return labelled(atoms, results)


STAGE = Stage("imported", 1, Params, run, Resources(memory_gb=1.0, seconds=10))
