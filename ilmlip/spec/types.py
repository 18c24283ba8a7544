"""The frozen, validated spec: one class a config group. Each field has a unit and a description."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.grammar import counted, every
from ilmlip.record import Record, field
from ilmlip.spec.active import Active
from ilmlip.spec.analysis import Analysis
from ilmlip.spec.cluster import Cluster, Tracking
from ilmlip.spec.derived import Derived, check_parts
from ilmlip.spec.dft import Dft
from ilmlip.spec.ensemble import Ensemble
from ilmlip.spec.mixtures import Compositions, composition_label, ion_counts, set_label
from ilmlip.spec.model import Model
from ilmlip.spec.outside import elements_of_file
from ilmlip.spec.paper import check as check_paper_tests
from ilmlip.spec.sampling import Sampling
from ilmlip.spec.system import Name, System


class Dataset(Record):
    """Which frames are labelled, and how they are split."""

    frames: int = field("Labelled frames a composition and structure", ge=1)
    every: int = field(
        "Every how-many-th kept frame is labelled; more frames then add to those there are", ge=1
    )
    validation_fraction: float = field(
        "Share of the training structure's frames held out to validate", gt=0, lt=1
    )
    quorum: float = field("Share of labels that is enough to go on", gt=0, le=1, default=0.95)
    seed: int = field("Seed of the split", ge=0, default=0)
    test: Literal["independent", "same_trajectory"] = field(
        "Where test frames come from: a structure of their own, or the later part of the "
        "trajectory that is trained on",
        default="independent",
        later=True,
    )
    derived: tuple[Derived, ...] = field(
        "What the data set is made of, at most one entry a kind; empty: the sampled frames",
        default=(),
        max_length=5,
        later=True,
    )
    active: Active | None = field(
        "Learning on the fly: frames of the models' own dynamics are added in rounds; null: none",
        default=None,
        later=True,
    )

    @model_validator(mode="after")
    def _each_kind_once(self) -> Self:
        kinds = [part.kind for part in self.derived]
        if len(set(kinds)) < len(kinds):
            raise SpecError("dataset.derived", f"{kinds} has a kind twice; give each once")
        check_parts(self.derived)
        return self


class Lint(Record):
    """What lint is to leave unsaid, each with the reason why that is right here."""

    silence: dict[str, Annotated[str, Field(min_length=1, max_length=500)]] = field(
        "Reason for each code of a finding that is silenced", default={}
    )


class Spec(Record):
    """A whole experiment: what `ilmlip run` compiles into a plan."""

    name: Name = field("Name of the study; the MLflow experiment is called so")
    description: str = field("What the study is for", default="")
    store: str = field("Folder of the store, from where ilmlip is started", default="store")
    system: System = field("Ions, salts and force field")
    compositions: Compositions = field("Mixtures, and which are trained on")
    sampling: Sampling = field("Classical dynamics that yields configurations")
    dft: Dft = field("Engine of the labels")
    dataset: Dataset = field("Frames and splits")
    model: Model = field("Model and training")
    ensemble: Ensemble = field(
        "Dynamics with the trained model", default=Ensemble(kind="none"), later=True
    )
    analysis: Analysis = field("Findings to test", default=Analysis())
    lint: Lint = field("Findings of lint that are silenced", default=Lint(), later=True)
    cluster: Cluster = field("Where jobs run")
    tracking: Tracking = field("Where runs are logged", default=Tracking())

    def is_sampled(self) -> bool:
        """Whether configurations come from classical dynamics of the ions."""
        return self.system.crystal is None and self.dft.engine != "files"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check(self)
        return self


def _check(spec: Spec) -> None:
    """Whether the sections fit each other."""
    _check_crystal(spec)
    _check_salts(spec)
    _check_boxes(spec)
    _check_frames(spec)
    _check_shifts(spec)
    _check_findings(spec)
    _check_outside(spec)
    if spec.dataset.active is not None:
        spec.dataset.active.check_models(spec.model.seeds, spec.dft.engine)
        spec.dataset.active.check_collection(
            [composition_label(x) for x in spec.compositions.everything()],
            derived=bool(spec.dataset.derived),
            test=spec.dataset.test,
            test_structure=spec.compositions.test_structure,
        )
    _check_ensemble(spec)


def _check_salts(spec: Spec) -> None:
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


def _check_crystal(spec: Spec) -> None:
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


def _check_boxes(spec: Spec) -> None:
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


def _check_frames(spec: Spec) -> None:
    spec.compositions.check_tests(
        spec.dft.engine, spec.dataset.test, committee_splits=spec.model.committee_splits
    )
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
            f"{counted(spec.dataset.frames, 'frame')}"
            f"{'' if parts == 1 else ' to train and as many to test on'}, "
            f"{every(spec.dataset.every, 'kept frame')}, need a trajectory of {wanted}; sampling "
            f"keeps {kept} (duration {spec.sampling.duration:g} fs, one every "
            f"{spec.sampling.interval:g} fs). Take at most "
            f"{counted(kept // spec.dataset.every // parts, 'frame')}, or raise sampling.duration",
        )
    held = round(spec.dataset.frames * spec.dataset.validation_fraction)
    if not 1 <= held < spec.dataset.frames:
        raise SpecError(
            "dataset.validation_fraction",
            f"{spec.dataset.validation_fraction:g} of {counted(spec.dataset.frames, 'frame')} leaves "
            f"{held} to validate and {spec.dataset.frames - held} to train on; each needs at least one",
        )


def _check_shifts(spec: Spec) -> None:
    if spec.model.shifts == "isolated" and spec.dft.e0 is None:
        raise SpecError(
            "model.shifts",
            "is isolated: set dft.e0=isolated, which computes the single atoms (a force field has "
            "none: with dft=opls set model.shifts=least_squares or mean)",
        )
    if spec.model.fine_tune is not None and spec.dft.e0 == "isolated":
        raise SpecError(
            "dft.e0",
            "is isolated, and model.fine_tune starts from a model that has energies of its elements "
            "already; set dft.e0=regression",
        )


def _check_outside(spec: Spec) -> None:
    """A model from outside has a name of its own, and knows every element that it is tested on."""
    sets = {set_label(xs) for xs in spec.compositions.training}
    tested = {
        ion
        for x in spec.compositions.fractions
        for ion in ion_counts(spec.system, spec.compositions, x)
    }
    for name, model in spec.analysis.models.items():
        where = f"analysis.models.{name}"
        if name in sets:
            raise SpecError(where, "is the name of a training set; give the model another")
        if model.package is None or not model.sha256:
            continue
        known = elements_of_file(model.package, model.sha256)
        unknown = sorted(set(spec.system.elements_of(tested)) - set(known))
        if unknown:
            raise SpecError(
                f"{where}.package",
                f"does not know {', '.join(unknown)}, which the test sets hold; it knows "
                f"{', '.join(known)}. Test on other compositions, or leave the model out",
            )


def _check_ensemble(spec: Spec) -> None:
    """Dynamics needs a network, and a configuration to start from."""
    ensemble = spec.ensemble
    if ensemble.kind == "none":
        return
    if not spec.model.seeds:
        raise SpecError(
            "ensemble.kind",
            f"is {ensemble.kind}, and the study trains no network; give model.seeds, or set "
            "ensemble=none",
        )
    if spec.dft.engine == "files":
        raise SpecError(
            "ensemble.kind",
            f"is {ensemble.kind}, and imported labels have no trajectory to start from; set "
            "ensemble=none",
        )
    tested = [composition_label(x) for x in spec.compositions.fractions]
    for i, x in enumerate(ensemble.fractions):
        if composition_label(x) not in tested:
            raise SpecError(
                f"ensemble.fractions.{i}",
                f"{composition_label(x)} is not tested; there are {', '.join(tested)}",
            )
    sets = [set_label(xs) for xs in spec.compositions.training]
    for i, xs in enumerate(ensemble.training):
        if set_label(xs) not in sets:
            raise SpecError(
                f"ensemble.training.{i}",
                f"{set_label(xs)} is not trained on; there are {', '.join(sets)}",
            )
    if ensemble.seeds > len(spec.model.seeds):
        raise SpecError(
            "ensemble.seeds",
            f"is {ensemble.seeds}, and model.seeds has {len(spec.model.seeds)}; give more seeds there",
        )


def _check_findings(spec: Spec) -> None:
    asked = spec.analysis.findings
    labels = [set_label(xs) for xs in spec.compositions.training]
    tested = [composition_label(x) for x in spec.compositions.fractions]
    check_paper_tests(spec.analysis.tests, labels, tested, spec.system.charges())
    if asked is None:
        return
    for name, wanted in (("one", asked.one), ("two", asked.two)):
        if set_label(wanted) not in labels:
            raise SpecError(
                f"analysis.findings.{name}",
                f"{set_label(wanted)} is not a training set; there are {', '.join(labels)}. "
                "Name one of them, or leave the findings out (analysis=none)",
            )
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
