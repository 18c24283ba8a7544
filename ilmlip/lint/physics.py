"""Whether model, labels and dynamics fit each other."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ilmlip.chemistry.ion import least_spacing
from ilmlip.grammar import counted
from ilmlip.lint.finding import Finding, Severity
from ilmlip.spec.dft import QUANTUM
from ilmlip.spec.mixtures import box_volume, ion_counts, places_label
from ilmlip.spec.model import E0
from ilmlip.spec.types import Spec

INDEPENDENT = 1000.0
"""fs; an ion rattles in its cage with a period below about 1 ps, and leaves it in much more."""


def cutoff(spec: Spec) -> Iterator[Finding]:
    """`cutoff-box`: the smallest box that a model is trained or tested on against r_max."""
    if not spec.model.seeds or spec.dft.files is not None:
        return  # the boxes of imported frames are those of their files
    mix, system = spec.compositions, spec.system
    edges = {x: box_volume(system, mix, x) ** (1 / 3) for x in mix.everything()}
    x, edge = min(edges.items(), key=lambda item: item[1])
    r_max = spec.model.r_max
    if r_max <= edge / 2:
        return
    severity: Severity = "error" if r_max > edge else "warning"
    what = "atoms see themselves" if r_max > edge else "an atom sees two images of a neighbour"
    yield Finding(
        "cutoff-box",
        severity,
        "model.r_max",
        f"{r_max:g} Å in a box of {edge:.1f} Å "
        f"({places_label([x])}, {counted(mix.pairs, 'pair')}): {what}. "
        f"At most {edge / 2:.1f} Å, or raise compositions.pairs to "
        f"{_pairs(mix.pairs, edge, r_max)}",
    )


def _pairs(pairs: int, edge: float, r_max: float) -> int:
    """Formula units in a box of twice r_max."""
    return int(pairs * (2 * r_max / edge) ** 3) + 1


def labels(spec: Spec) -> Iterator[Finding]:
    """`stress-missing` and `quantum-shifts`: what the loss and the model ask of the labels."""
    if spec.model.loss.stress > 0 and not spec.dft.stress:
        yield Finding(
            "stress-missing",
            "error",
            "model.loss.stress",
            f"weighs the stress by {spec.model.loss.stress:g}, and dft.stress is false: the labels "
            "have none. Set model.loss.stress=0, or dft.stress=true",
        )
    several = max(map(len, spec.compositions.training)) > 1
    e0 = spec.dft.e0
    shifts = E0[e0] if e0 else spec.model.shifts
    if spec.dft.engine in QUANTUM and several and shifts not in ("least_squares", "isolated"):
        yield Finding(
            "quantum-shifts",
            "error",
            "dft.e0" if e0 else "model.shifts",
            f"is {e0 or spec.model.shifts}, with labels of {spec.dft.engine} at several compositions: "
            "without energies of the single atoms energies become useless (the paper, Methods). "
            f"Set {'dft.e0=regression or isolated' if e0 else 'model.shifts=least_squares'}",
        )


def grid(spec: Spec) -> Iterator[Finding]:
    """`grid-narrow`: the packing's grid against the largest ion."""
    system, mix = spec.system, spec.compositions
    if not spec.is_sampled():
        return
    names = {name for x in mix.everything() for name in ion_counts(system, mix, x)}
    least = least_spacing(system.ions[name].geometry() for name in names)
    spacing = spec.sampling.grid_spacing
    if spacing < least:
        yield Finding(
            "grid-narrow",
            "error",
            "sampling.grid_spacing",
            f"is {spacing:g} Å, on which ions overlap. Set sampling.grid_spacing="
            f"{math.ceil(10 * least) / 10:g} or more",
        )


def dynamics(spec: Spec) -> Iterator[Finding]:
    """What the ensemble asks of the model: `l-max-md`, `npt-no-stress`."""
    kind = spec.ensemble.kind
    if kind == "none":
        return
    if spec.model.l_max < 2:
        yield Finding(
            "l-max-md",
            "warning",
            "model.l_max",
            f"is {spec.model.l_max}: in the paper's scan (Table S12) two of three models of l_max 1 "
            "broke molecules in dynamics, and none of l_max 2 with the same loss. Set model.l_max=2",
        )
    if kind == "npt" and spec.model.loss.stress == 0:
        yield Finding(
            "npt-no-stress",
            "warning",
            "model.loss.stress",
            "is 0, and the ensemble is npt: the density follows from a stress that was never learnt. "
            "Set model.loss.stress=100, as the paper does",
        )


def frames(spec: Spec) -> Iterator[Finding]:
    """`frames-correlated`, `test-same-trajectory` and `scan-strained`."""
    active = spec.dataset.active
    if active is not None and active.test_fraction:
        yield Finding(
            "test-same-trajectory",
            "warning",
            "dataset.active.test_fraction",
            "test frames come from the rounds whose other frames are trained on: errors look "
            "smaller than they are. Set dataset.active.test_fraction=0, which labels others",
        )
    if not spec.is_sampled():
        return  # each frame is a cell of its own, or was chosen by others
    apart = spec.sampling.interval * spec.dataset.every
    if apart < INDEPENDENT:
        yield Finding(
            "frames-correlated",
            "warning",
            "dataset.every",
            f"labelled frames are {apart:g} fs apart (sampling.interval × dataset.every); below "
            f"{INDEPENDENT:g} fs they are nearly one and the same, and so are their labels. Raise "
            "either, with sampling.duration",
        )
    if spec.dataset.test == "same_trajectory":
        yield Finding(
            "test-same-trajectory",
            "warning",
            "dataset.test",
            "test frames come from the trajectory that is trained on: errors look smaller than they "
            "are. Set dataset.test=independent",
        )
    if spec.compositions.test_structure == "none":
        yield Finding(
            "test-same-trajectory",
            "warning",
            "compositions.test_structure",
            "is none: models are tested on the frames that validate them, the last of the "
            "trajectories that are trained on, and errors look smaller than they are. Set "
            "compositions.test_structure=independent",
        )
    if spec.dft.engine != "opls":
        yield from _strained(spec)


def _strained(spec: Spec) -> Iterator[Finding]:
    """`scan-strained`: what is made of the force field's frames, whose ions another engine strains."""
    parts = spec.dataset.derived
    for part in parts:
        if part.kind in ("volume_scan", "rattle") and part.source(parts) is None:
            yield Finding(
                "scan-strained",
                "warning",
                "dataset.derived",
                f"{part.kind} starts from frames of the force field, in which {spec.dft.engine} finds "
                "the ions themselves strained; a scan of them shows that strain as pressure. Add an "
                "entry of kind aimd or relax (take: [] keeps its steps out of the data set), or scan "
                "frames of a model's run (dataset.active.scan)",
            )
