"""The tasks from configurations to data sets: what is labelled and gathered, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from ilmlip.chemistry.rank import differences
from ilmlip.errors import SpecError
from ilmlip.hashing import plain
from ilmlip.plan.add import SOME, About, add
from ilmlip.plan.configurations import TESTING, TRAINING, Configuration, Configurations
from ilmlip.plan.graph import Plan
from ilmlip.spec.derived import Derived, VolumeScan, picked
from ilmlip.spec.dft import Dft
from ilmlip.spec.files import Files
from ilmlip.spec.mixtures import Composition, box_density, composition_label, set_label
from ilmlip.spec.types import Spec
from ilmlip.stages.dataset import CHOSEN

SETTINGS = {"qe_pbe_d3": "qe", "cp2k_pbe_d3": "cp2k", "gpaw_pbe_d3": "gpaw", "vasp_pbe": "vasp"}
"""The section of the settings of each engine that has one."""


def engine_params(dft: Dft, elements: Iterable[str]) -> dict[str, Any]:
    """The parameters of a label that say how: its engine's settings, and the stress.

    Of pseudopotentials only those of `elements` are part of it.
    """
    if dft.engine == "opls":
        opls = {"cutoff": dft.cutoff, "kspace_accuracy": dft.kspace_accuracy}
        return {"opls": opls, "stress": dft.stress}
    if dft.engine == "gfn1_xtb":
        xtb = {
            "scf_accuracy": dft.scf_accuracy,
            "electronic_temperature": dft.electronic_temperature,
        }
        return {"xtb": xtb, "stress": dft.stress}
    name = SETTINGS[dft.engine]
    settings = plain(getattr(dft, name))
    if "pseudopotentials" in settings:
        present = set(elements)
        settings["pseudopotentials"] = {
            element: file
            for element, file in settings["pseudopotentials"].items()
            if element in present
        }
    found = {name: settings, "stress": dft.stress}
    d3 = dft.d3()
    return found if d3 is None else {**found, "dispersion": plain(d3)}


class Frames(Configurations):
    """Makes the tasks from ions to data sets, each on demand and once; points may share them."""

    def __init__(self, plan: Plan, spec: Spec) -> None:
        super().__init__(plan, spec)
        self.labels = cache(self._labels)
        self.series = cache(self._series)
        self.atoms = cache(self._atoms)
        self.dataset = cache(self._dataset)
        self.differences = cache(self._differences)
        self.elements = self._elements()
        self.collected: dict[Composition, tuple[str, ...]] = {}
        """Labels that a composition's own rounds of active learning have added, in their order."""

    def _differences(self) -> list[dict[str, int]]:
        """The differences of energies that the test compositions determine."""
        counts = [self._counts(x) for x in self.spec.compositions.fractions]
        return differences(counts, self.spec.system.charges())

    def _labels(self, x: Composition, role: int) -> tuple[str, ...]:
        """The labelled frames of a composition, each its own task."""
        own = self._picked(x, role, Derived(kind="frames"))
        frames = [(one.trajectory, one.frame) for _, one in own]
        return self._labelled(x, self._place(role)[0], frames)

    def _labelled(
        self, x: Composition, structure: int | str, frames: Sequence[tuple[str, int]]
    ) -> tuple[str, ...]:
        """A label of each frame: key of its trajectory, and its number there."""
        settings = self.labelling(x)
        return tuple(
            add(
                self.plan,
                "label",
                {"frame": number, **settings},
                self.label_needs(trajectory),
                about={"composition": composition_label(x), "structure": structure},
                how=self.how(),
            )
            for trajectory, number in frames
        )

    def labelled_from(self, x: Composition, trajectory: str, count: int) -> str:
        """The first `count` frames of a trajectory of composition `x`, labelled, as a test set."""
        labels = self._labelled(x, "md", [(trajectory, number) for number in range(count)])
        return add(
            self.plan,
            "dataset",
            {"role": "test"},
            {"labels": labels},
            quorum={"labels": SOME},
            about={"role": "test", "compositions": composition_label(x), "structure": "md"},
        )

    def _series(self, x: Composition, role: int, part: Derived) -> tuple[str, ...]:
        """What is derived of one kind from the frames of a composition, a task a frame."""
        structure = self._place(role)[0]
        return tuple(
            self._one_series(x, structure, part, one) for _, one in self._picked(x, role, part)
        )

    def _one_series(self, x: Composition, structure: int, part: Derived, one: Configuration) -> str:
        """A series of one frame; or of a step of another series of it (`Derived.source`)."""
        params: dict[str, Any] = {"frame": one.frame, **self.labelling(x)}
        params[part.kind] = plain(getattr(part, part.kind))
        if part.aimd is not None:
            params["temperature"] = part.aimd.temperature or one.temperature
            params[part.kind]["temperature"] = None
        if part.volume_scan is not None:
            params[part.kind] = plain(self.scan(x, part.volume_scan))
        params["seed"] = one.seed
        needs = self.label_needs(one.trajectory)
        source = part.source(self.spec.dataset.derived)
        if source is not None:
            params["step"] = source.step()
            del needs["trajectory"]
            needs["series"] = (self._one_series(x, structure, source, one),)
        about: About = {
            "composition": composition_label(x),
            "structure": structure,
            "kind": part.kind,
        }
        return add(self.plan, "series", params, needs, about=about, how=self.how())

    def scan(self, x: Composition, scan: VolumeScan) -> VolumeScan:
        """A volume scan with its densities in g/cm³."""
        if scan.relative is None:
            return scan
        return scan.absolute(box_density(self.spec.system, self.spec.compositions, x))

    def _picked(self, x: Composition, role: int, part: Derived) -> list[tuple[int, Configuration]]:
        """The frames that a kind is made of, each with its number among the composition's.

        Without a structure to test on (`compositions.test_structure`), those to test on are the
        frames of the training structure that are held out.
        """
        groups = self._groups(x, role)
        frames = [one for group in groups for one in group]
        numbers = picked([len(group) for group in groups], part)
        if role == TESTING and self._tests_are_held_out():
            held = set(self._held_out(groups))
            numbers = [number for number in numbers if number in held]
        return [(number, frames[number]) for number in numbers]

    def _groups(self, x: Composition, role: int) -> tuple[tuple[Configuration, ...], ...]:
        """Frames by trajectory, of the structure that the role's frames come from."""
        return self.configurations(x, TRAINING if self._tests_are_held_out() else role)

    def _tests_are_held_out(self) -> bool:
        return self.spec.compositions.test_structure == "none"

    def _held_out(self, groups: Sequence[Sequence[Configuration]]) -> list[int]:
        """The last frames of each trajectory, counted through all of them."""
        found: list[int] = []
        first = 0
        for group in groups:
            held = round(self.spec.dataset.validation_fraction * len(group))
            found += range(first + len(group) - held, first + len(group))
            first += len(group)
        return found

    def _atoms(self) -> tuple[str, ...]:
        """The energies of single atoms, one task an element."""
        dft = self.spec.dft
        return tuple(
            add(
                self.plan,
                "atom",
                {"element": element, "box": dft.atom_box, **engine_params(dft, (element,))},
                about={"element": element},
                how=self.how(),
            )
            for element in self.elements
        )

    def labelling(self, x: Composition) -> dict[str, Any]:
        """By which engine, with which settings, frames of a composition are labelled."""
        return engine_params(self.spec.dft, self.spec.system.elements_of(self._counts(x)))

    def label_needs(self, trajectory: str) -> dict[str, tuple[str, ...]]:
        """The inputs of a label of a frame of a trajectory."""
        needs: dict[str, tuple[str, ...]] = {"trajectory": (trajectory,)}
        if self.spec.dft.engine == "opls":
            return {"forcefield": (self.forcefield(),), **needs}
        return needs

    def how(self) -> dict[str, Any]:
        """What the spec says of labelling that is in no key."""
        return {"retries": plain(list(self.spec.dft.retries))} if self.spec.dft.retries else {}

    def _dataset(
        self,
        fractions: tuple[Composition, ...],
        structure: int,
        member: int = 0,
        chosen: tuple[str, ...] = (),
        last: float = 0.0,
    ) -> str:
        """The frames of some compositions: to train and validate on, or to test on.

        `member`: which split of them, for a committee whose members validate on different frames.
        `chosen`: labels that rounds of learning on the fly have added.
        `last`: share of each composition's frames, the last ones, that are left out to test on.
        """
        if self.spec.dft.files is not None:
            return self._imported(fractions, structure, self.spec.dft.files, member)
        if structure == TESTING and self._test_share():
            return self._last_collected(fractions)
        parts = self.spec.dataset.derived or (Derived(kind="frames"),)
        needs: dict[str, tuple[str, ...]] = {}
        take: dict[str, list[int]] = {}
        for part in parts:
            if part.kind == "frames":
                needs["labels"] = tuple(k for x in fractions for k in self.labels(x, structure))
            elif part.taken():
                keys = tuple(k for x in fractions for k in self.series(x, structure, part))
                needs[part.kind], take[part.kind] = keys, list(part.taken())
        needs = {name: keys for name, keys in needs.items() if keys}
        if not needs:
            raise SpecError(
                "dataset.derived",
                f"makes nothing of the frames of {set_label(fractions)} that are held out to test on "
                "(compositions.test_structure=none); derive from more frames",
            )
        take = {name: steps for name, steps in take.items() if name in needs}
        quorum = self.spec.dataset.quorum
        held = self._held_origins(fractions) if structure == TRAINING else []
        several = len(needs) > 1 or held
        origins = self._origins(fractions, structure, parts, needs) if several else {}
        some = dict.fromkeys(needs, quorum)
        if chosen:
            needs[CHOSEN], some[CHOSEN] = chosen, SOME
        return add(
            self.plan,
            "dataset",
            {
                **{"take": take, "origins": origins, "held": held, "last": last},
                **self._split(structure, member),
            },
            needs,
            quorum=some,
            about=self._about_dataset(fractions, structure),
            how={"quorum": quorum},
        )

    def _test_share(self) -> float:
        """Share of the frames collected of each composition that are tested on; 0: others are."""
        active = self.spec.dataset.active
        return 0.0 if active is None else active.test_fraction

    def _last_collected(self, fractions: tuple[Composition, ...]) -> str:
        """The last frames that were collected of some compositions, to test on."""
        return add(
            self.plan,
            "dataset",
            {"role": "test", "last": self._test_share()},
            {
                "labels": tuple(k for x in fractions for k in self.labels(x, TRAINING)),
                CHOSEN: self.collection(fractions),
            },
            quorum={"labels": self.spec.dataset.quorum, CHOSEN: SOME},
            about=self._about_dataset(fractions, TESTING),
            how={"quorum": self.spec.dataset.quorum},
        )

    def collection(self, fractions: Iterable[Composition]) -> tuple[str, ...]:
        """Labels that the rounds of each of some compositions have added."""
        return tuple(key for x in fractions for key in self.collected.get(x, ()))

    def _origins(
        self,
        fractions: tuple[Composition, ...],
        structure: int,
        parts: Sequence[Derived],
        roles: Iterable[str],
    ) -> dict[str, list[int]]:
        """By role, which of the data set's frames each label and each series comes from."""
        found: dict[str, list[int]] = {}
        for first, x in self._firsts(fractions, structure):
            for part in parts:
                role = "labels" if part.kind == "frames" else part.kind
                if role in roles:
                    own = self._picked(x, structure, part)
                    found.setdefault(role, []).extend(first + number for number, _ in own)
        return found

    def _held_origins(self, fractions: tuple[Composition, ...]) -> list[int]:
        """The frames of a training set that are held out as the test frames, counted through all."""
        if not self._tests_are_held_out():
            return []
        return [
            first + number
            for first, x in self._firsts(fractions, TRAINING)
            for number in self._held_out(self._groups(x, TRAINING))
        ]

    def _firsts(
        self, fractions: tuple[Composition, ...], role: int
    ) -> Iterator[tuple[int, Composition]]:
        """The number of each composition's first frame, counted through all."""
        first = 0
        for x in fractions:
            yield first, x
            first += sum(len(group) for group in self._groups(x, role))

    def _split(self, structure: int, member: int) -> dict[str, Any]:
        held = self.spec.dataset
        if structure != TRAINING:
            return {"role": "test"}
        seed = held.seed + member
        return {"role": "train", "validation_fraction": held.validation_fraction, "seed": seed}

    def _about_dataset(self, fractions: tuple[Composition, ...], structure: int) -> About:
        role = "train" if structure == TRAINING else "test"
        return {"role": role, "compositions": set_label(fractions)}

    def _imported(
        self, fractions: tuple[Composition, ...], structure: int, files: Files, member: int
    ) -> str:
        """The imported frames of some compositions."""
        chosen = {
            "compositions": [composition_label(x) for x in fractions],
            "test_fraction": files.test_fraction,
            "frames": files.frames if structure == TRAINING else None,
        }
        return add(
            self.plan,
            "dataset",
            {"imported": chosen, **self._split(structure, member)},
            {"imported": (self.imported(files),)},
            about=self._about_dataset(fractions, structure),
        )

    def imported(self, files: Files) -> str:
        """All imported frames."""
        system, mix = self.spec.system, self.spec.compositions
        return add(
            self.plan,
            "imported",
            {
                "reading": files.reading(),
                "sha256": files.sha256,
                "compositions": {composition_label(x): self._counts(x) for x in mix.everything()},
                "ions": {name: ion.geometry().elements for name, ion in system.ions.items()},
                "bonds": {name: ion.bonded_atoms() for name, ion in system.ions.items()},
            },
            about={"system": system.name},
            how={"paths": list(files.paths)},
        )

    def _elements(self) -> tuple[str, ...]:
        """Every element that a model may meet in the study's tests or training."""
        ions = {i for x in self.spec.compositions.everything() for i in self._counts(x)}
        return self.spec.system.elements_of(ions)
