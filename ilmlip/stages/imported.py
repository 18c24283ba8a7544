"""Stage `imported`: labelled frames that exist already, read, recognised and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ilmlip.chemistry.boxes import labelled, write
from ilmlip.chemistry.connectivity import UnknownIonError, composition_of, formula_of, ions_in
from ilmlip.chemistry.twins import twins
from ilmlip.engines.files import FREE, PLAIN, Imported, frames
from ilmlip.engines.plausible import Doubt, doubts
from ilmlip.errors import StageError
from ilmlip.hashing import file_digest
from ilmlip.observables.label_checks import Slope, net_force, not_finite, off_median, stress_slopes
from ilmlip.record import Record, field
from ilmlip.spec.files import Reading
from ilmlip.spec.label_units import STRESS
from ilmlip.stages.base import Inputs, Output, Resources, Stage

if TYPE_CHECKING:
    from ase import Atoms

    from ilmlip.engines.labelling import Labelled

FRAMES = "frames.extxyz"
SHOWN = 5
"""Bad frames that a message names."""
HINT = 0.1
"""How near a slope must be to that of another unit for it to be named."""

COMMON = ("eV/Å³", "GPa", "kbar", "bar", "Hartree/Bohr³", "Ry/Bohr³")
"""Units of stress that a hint may name."""


class Params(Record):
    """How the files are read, what they are, and which compositions there may be."""

    reading: Reading = field("How labels are read and what is refused")
    sha256: tuple[str, ...] = field("SHA-256 of each file")
    compositions: dict[str, dict[str, int]] = field(
        "Number of each ion (in a crystal: element) of each composition; only the ratios matter"
    )
    ions: dict[str, tuple[str, ...]] = field("Elements of each ion's atoms; none of a crystal")
    bonds: dict[str, tuple[tuple[int, int], ...]] = field(
        "Bonded atoms of each ion, by their number from 0; none: only formulas are compared",
        default={},
    )


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """Read the files of `how`; writes frames.extxyz, in eV, Å and tension as positive.

    Raises StageError for a file that is another than the key was made of or that cannot be read to
    its end, for frames that fail a check (unless they are to be dropped), and for labels that
    contradict each other or cannot be in the units that are declared.
    """
    read = _read(params, [Path(path) for path in inputs.how.get("paths", ())])
    speaking = doubts([_label_of(one) for one in read if not _broken(one)], params.reading)
    compositions, faults = _checked(read, params)
    if faults and params.reading.on_bad == "refuse":
        raise StageError(_refusal(read, faults, speaking))
    if any(one.impossible for one in speaking):
        raise StageError(f"the labels cannot be what dft.files says: {_joined(speaking)}")
    kept = [i for i in range(len(read)) if i not in faults]
    if not kept:
        why = f": {read[0].name} {faults[0]}" if faults else ""
        raise StageError(f"no frame of {len(read)} is left{why}")
    good = [_label_of(read[i]) for i in kept]
    slopes = _slopes([atoms for atoms, _ in good], [label for _, label in good], params.reading)
    write(work / FRAMES, [_labelled(atoms, label) for atoms, label in good])
    mine = [compositions[i] for i in kept]
    values: dict[str, Any] = {
        "frames": {
            label: [n for n, one in enumerate(mine) if one == label]
            for label in params.compositions
        },
        "dropped": [f"{read[i].name}, {faults[i]}" for i in sorted(faults)],
        "warnings": [one.message for one in speaking],
        "stress_slopes": [
            {"frames": len(one.frames), "slope": one.slope, "offset_eV_A3": one.offset}
            for one in slopes
        ],
    }
    return Output((FRAMES,), values)


def _refusal(read: Sequence[Imported], faults: Mapping[int, str], speaking: Sequence[Doubt]) -> str:
    """Which frames are bad, and what is strange about all of them."""
    shown = [f"{read[i].name}, {faults[i]}" for i in sorted(faults)[:SHOWN]]
    strange = f"Of all frames: {_joined(speaking)}. " if speaking else ""
    return (
        f"{len(faults)} of {len(read)} frames are not fit: {'; '.join(shown)}"
        f"{' …' if len(faults) > SHOWN else ''}. {strange}Fix them, or leave them out: "
        "dft.files.on_bad=drop"
    )


def _joined(speaking: Sequence[Doubt]) -> str:
    """The impossible first."""
    return "; ".join(one.message for one in sorted(speaking, key=lambda one: not one.impossible))


def _read(params: Params, paths: Sequence[Path]) -> list[Imported]:
    """Every frame of all files."""
    found: list[Imported] = []
    for path, expected in zip(paths, params.sha256, strict=True):
        if not path.is_file():
            raise StageError(f"{path} is gone (dft.files.paths)")
        if file_digest(path) != expected:
            raise StageError(f"{path} has changed since the study was planned; run it again")
        found += frames(path, params.reading)
    return found


def _label_of(one: Imported) -> tuple[Atoms, Labelled]:
    if one.atoms is None or one.label is None:
        raise StageError(f"{one.name} has no label")
    return one.atoms, one.label


def _checked(read: Sequence[Imported], params: Params) -> tuple[dict[int, str], dict[int, str]]:
    """The composition of each frame, its ions written into it; and what is wrong, by frame."""
    faults = {i: fault for i, one in enumerate(read) if (fault := _broken(one))}
    good = {i: _label_of(one) for i, one in enumerate(read) if i not in faults}
    faults |= _mixed_energies({i: (read[i], good[i][1]) for i in good})
    compositions: dict[int, str] = {}
    for i, (atoms, _) in good.items():
        label, fault = _recognised(atoms, params)
        if fault:
            faults[i] = fault
        elif i not in faults:
            compositions[i] = label
    faults |= _unfit({i: good[i] for i in good if i not in faults}, compositions, params.reading)
    left = [i for i in good if i not in faults]
    repeated = twins(
        [good[i][0].get_chemical_symbols() for i in left],
        [good[i][0].cell.array for i in left],
        [good[i][0].positions for i in left],
    )
    faults |= {left[j]: f"is {read[left[i]].name} once more" for j, i in repeated.items()}
    return compositions, faults


def _mixed_energies(good: Mapping[int, tuple[Imported, Labelled]]) -> dict[int, str]:
    """Frames with an energy of another kind than the others: without the free energy."""
    keys = {one.key for one, _ in good.values()}
    if FREE not in keys:
        return {}
    return {
        i: f"has no {FREE!r}, which other frames have; state one key for all (dft.files.energy_key)"
        for i, (one, _) in good.items()
        if one.key == PLAIN
    }


def unfit(one: Imported, params: Params) -> str:
    """Why a frame would be refused for itself, without the others; empty if it would not."""
    fault = _broken(one)
    return fault or _recognised(_label_of(one)[0], params)[1]


def _recognised(atoms: Atoms, params: Params) -> tuple[str, str]:
    """The composition of a frame, its ions written into it; or, second, what is wrong with it."""
    stated = atoms.info.pop("composition", None)
    try:
        ids, types = ions_in(atoms, params.ions, params.bonds)
    except UnknownIonError as error:
        return "", str(error)
    atoms.set_array("ion_id", np.array(ids))
    atoms.set_array("ion_type", np.array(types))
    known = ", ".join(params.compositions)
    formula = formula_of(atoms.get_chemical_symbols())
    if stated is None:
        label = composition_of(types, ids, params.compositions)
        if label is None:
            return "", f"({formula}) is of no composition of the spec; there are {known}"
        return label, ""
    label = next((one for one in params.compositions if same_label(one, stated)), None)
    if label is None:
        return "", f"says {str(stated)!r}; there are {known}"
    if composition_of(types, ids, {label: params.compositions[label]}) is None:
        holds = composition_of(types, ids, params.compositions)
        return "", (
            f"says {str(stated)!r} (dft.files.composition_key), and its atoms ({formula}) are of "
            f"{f'composition {holds}' if holds else 'no composition of the spec'}"
        )
    return label, ""


def same_label(label: str, stated: Any) -> bool:
    """Whether a frame's statement means a composition: 1, 1.0 and "1.00" are the same."""
    if str(stated).strip() == label or isinstance(stated, bool):
        return str(stated).strip() == label
    try:
        return abs(float(stated) - float(label)) < 1e-6
    except (TypeError, ValueError):
        return False


def _broken(one: Imported) -> str:
    """What makes a frame no periodic configuration with labels; empty if nothing does."""
    if one.fault or one.atoms is None or one.label is None:
        return one.fault or "has no label"
    atoms, label = one.atoms, one.label
    if not atoms.pbc.all() or atoms.cell.rank < 3:
        return "is not periodic in three directions, or has no cell"
    parts = {"energy": np.array(label.energy), "forces": label.forces, "stress": label.stress,
             "positions": atoms.positions, "cell": atoms.cell.array}  # fmt: skip
    names = [name for name, array in parts.items() if not_finite(array)]
    if names:
        return f"has a value that is not a finite number: {' and '.join(names)}"
    return ""


def _unfit(
    good: Mapping[int, tuple[Atoms, Labelled]], compositions: Mapping[int, str], reading: Reading
) -> dict[int, str]:
    """What is wrong with each frame that fails a check of its own numbers."""
    found: dict[int, str] = {}
    energies = [label.energy / len(atoms) for atoms, label in good.values()]
    spread = off_median(energies, [compositions[i] for i in good])
    for (i, (_, label)), off in zip(good.items(), spread, strict=True):
        if abs(off) > reading.most_spread:
            found[i] = (
                f"is {off:+.3f} eV/atom from the median of its composition; at most "
                f"{reading.most_spread:g} (dft.files.most_spread)"
            )
        elif (net := net_force(label.forces)) > reading.most_net_force:
            found[i] = (
                f"has a net force of {net:.3g} eV/Å per atom; at most {reading.most_net_force:g} "
                "(dft.files.most_net_force)"
            )
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
    other = "tension" if reading.stress_sign == "compression" else "compression"
    sign = f"dft.files.stress_sign={other}" if slope < 0 else ""
    size = abs(slope)
    if abs(size - 1) < HINT:
        return f"Its sign is the other: {sign}"
    if reading.stress_is == "stress":
        here = STRESS[reading.stress_unit]
        for unit in COMMON:
            if unit != reading.stress_unit and abs(size * STRESS[unit] / here - 1) < HINT:
                return f"It looks like {unit}: dft.files.stress_unit={unit} {sign}".rstrip()
    return "Look at dft.files.stress_is, stress_unit, stress_sign and energy_unit"


def _labelled(atoms: Atoms, label: Labelled) -> Atoms:
    results: dict[str, Any] = {"energy": label.energy, "forces": label.forces}
    if label.stress is not None:
        results["stress"] = label.stress
    return labelled(atoms, results)


STAGE = Stage("imported", 2, Params, run, Resources(memory_gb=1.0, seconds=10))
