"""Whether the sections of a spec fit each other. Each check raises a located SpecError."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ilmlip.errors import SpecError
from ilmlip.spec.mixtures import composition_label, ion_counts, set_label

if TYPE_CHECKING:
    from ilmlip.spec.types import Spec


def check(spec: Spec) -> None:
    """All of them."""
    _salts(spec)
    _crystal(spec)
    _boxes(spec)
    _frames(spec)
    _shifts(spec)
    _findings(spec)


def _salts(spec: Spec) -> None:
    if not spec.compositions.salts and spec.system.crystal is None:
        raise SpecError(
            "compositions.salts", f"is empty; name some of {', '.join(spec.system.salts)}"
        )
    for index, salt in enumerate(spec.compositions.salts):
        if salt not in spec.system.salts:
            raise SpecError(
                f"compositions.salts.{index}",
                f"unknown salt {salt!r}; system {spec.system.name} has {', '.join(spec.system.salts)}",
            )
    if len(set(spec.compositions.salts)) < len(spec.compositions.salts):
        raise SpecError("compositions.salts", "names one salt twice; name different ones")


def _crystal(spec: Spec) -> None:
    """A crystal has no salts to mix and no force field to sample or label with."""
    if spec.system.crystal is None:
        return
    if spec.compositions.salts or spec.compositions.mixtures:
        raise SpecError(
            "compositions.salts",
            f"{spec.system.name} is a crystal, whose compositions are formulas: set "
            "compositions.salts=[] and formulas in fractions and training (compositions=table_s9)",
        )
    if spec.dft.engine == "opls":
        raise SpecError(
            "dft.engine",
            f"is opls, and the crystal {spec.system.name} has no force field; set dft=vasp_pbe or "
            "another engine of electrons",
        )
    if spec.dataset.test == "same_trajectory":
        raise SpecError(
            "dataset.test", "is same_trajectory, and a crystal has none; set independent"
        )


def _boxes(spec: Spec) -> None:
    """Every fraction must be one that this number of formula units can make."""
    mix = spec.compositions
    places = [(f"compositions.fractions.{i}", x) for i, x in enumerate(mix.fractions)]
    places += [
        (f"compositions.training.{i}.{j}", x)
        for i, xs in enumerate(mix.training)
        for j, x in enumerate(xs)
    ]
    for where, x in places:
        ion_counts(spec.system, mix, x, where=where)
    for where, values in [
        ("compositions.fractions", mix.fractions),
        *((f"compositions.training.{i}", xs) for i, xs in enumerate(mix.training)),
    ]:
        if len(set(values)) != len(values):
            raise SpecError(where, f"{list(values)} has a composition twice; give each once")
    labels = [set_label(xs) for xs in mix.training]
    if len(set(labels)) != len(labels):
        raise SpecError("compositions.training", f"a training set stands twice in {labels}")
    for i, xs in enumerate(mix.training):
        if not xs:
            raise SpecError(f"compositions.training.{i}", "is empty; name at least one composition")


def _frames(spec: Spec) -> None:
    parts = 1 if spec.dataset.test == "independent" else 2
    kept, wanted = spec.sampling.frames(), spec.dataset.frames * spec.dataset.every * parts
    if spec.dft.engine == "files":
        if any(part.kind != "frames" for part in spec.dataset.derived):
            raise SpecError(
                "dataset.derived", "is of series, and imported labels have none; leave it out"
            )
        return
    if wanted > kept and spec.system.crystal is None:
        raise SpecError(
            "dataset.frames",
            f"{spec.dataset.frames} frames{'' if parts == 1 else ' to train and as many to test on'}"
            f", every {spec.dataset.every}. of those kept, take a trajectory of {wanted}; sampling "
            f"keeps {kept} (duration {spec.sampling.duration:g} fs, one every "
            f"{spec.sampling.interval:g} fs). At most {kept // spec.dataset.every // parts} frames, "
            "or raise sampling.duration",
        )
    held = round(spec.dataset.frames * spec.dataset.validation_fraction)
    if not 1 <= held < spec.dataset.frames:
        raise SpecError(
            "dataset.validation_fraction",
            f"{spec.dataset.validation_fraction:g} of {spec.dataset.frames} frames leaves "
            f"{held} to validate and {spec.dataset.frames - held} to train on; each needs at least one",
        )


def _shifts(spec: Spec) -> None:
    if spec.model.shifts == "isolated" and spec.dft.e0 != "isolated":
        raise SpecError(
            "model.shifts", "is isolated: set dft.e0=isolated, which computes the single atoms"
        )


def _findings(spec: Spec) -> None:
    asked = spec.analysis.findings
    if asked is None:
        return
    labels = [set_label(xs) for xs in spec.compositions.training]
    for name, wanted in (("one", asked.one), ("two", asked.two)):
        if set_label(wanted) not in labels:
            raise SpecError(
                f"analysis.findings.{name}",
                f"{set_label(wanted)} is not a training set; there are {', '.join(labels)}. "
                "Name one of them, or leave the findings out (analysis=none)",
            )
    tested = [composition_label(x) for x in spec.compositions.fractions]
    for x in (asked.far, *asked.near):
        if composition_label(x) not in tested:
            raise SpecError(
                "analysis.findings",
                f"composition {composition_label(x)} is not tested; there are {', '.join(tested)}. "
                "Name one of them, or leave the findings out (analysis=none)",
            )
    for ion in asked.ions:
        if ion not in spec.system.charges():
            raise SpecError(
                "analysis.findings.ions",
                f"unknown ion {ion!r}; the system's are {', '.join(spec.system.charges())}",
            )
