"""The tasks from ions to data sets: what is sampled, labelled and gathered, each on demand and once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ilmlip.chemistry.crystal import Crystal
from ilmlip.chemistry.rank import differences
from ilmlip.hashing import digest, plain
from ilmlip.plan.add import SOME, About, add
from ilmlip.plan.graph import Plan
from ilmlip.spec.derived import Derived, spread
from ilmlip.spec.dft import Dft
from ilmlip.spec.files import Files
from ilmlip.spec.mixtures import Composition, box_density, composition_label, ion_counts, set_label
from ilmlip.spec.types import Spec
from ilmlip.stages.dataset import CHOSEN

TRAINING, TESTING = 0, 1
"""The two independent structures of a composition."""
LARGEST_SEED = 10**8
"""LAMMPS takes seeds of up to eight digits everywhere."""


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


@dataclass(frozen=True)
class Configuration:
    """A frame to label or to derive a series from."""

    trajectory: str
    """Key of the task that makes it."""
    frame: int
    """Its number there."""
    temperature: float
    """K, of dynamics from it."""
    seed: int
    """Of what is random in a series from it."""


class Frames:
    """Makes the tasks from ions to datasets, each on demand and once; points may share them."""

    def __init__(self, plan: Plan, spec: Spec) -> None:
        self.plan, self.spec = plan, spec
        self.forcefield = cache(self._forcefield)
        self.sampled = cache(self._sampled)
        self.configurations = cache(self._configurations)
        self.labels = cache(self._labels)
        self.series = cache(self._series)
        self.atoms = cache(self._atoms)
        self.dataset = cache(self._dataset)
        self.differences = cache(self._differences)
        self.elements = self._elements()

    def _differences(self) -> list[dict[str, int]]:
        """The differences of energies that the test compositions determine."""
        counts = [self._counts(x) for x in self.spec.compositions.fractions]
        return differences(counts, self.spec.system.charges())

    # --- configurations and labels

    def _forcefield(self) -> str:
        system = self.spec.system
        return add(
            self.plan, "forcefield", {"ions": system.ions, "charge_scale": system.charge_scale}
        )

    def _counts(self, x: Composition) -> dict[str, int]:
        return ion_counts(self.spec.system, self.spec.compositions, x)

    def _seed(self, x: Composition, structure: int, temperature: float) -> int:
        """Another seed for each structure and temperature, whatever else the study holds."""
        sampling = self.spec.sampling
        name = ["structure", sampling.seed, composition_label(x), structure]
        name += [temperature] if sampling.temperatures else []
        return 1 + int(digest("ilmlip.seed", name), 16) % (LARGEST_SEED - 1)

    def _sampled(self, x: Composition, structure: int, temperature: float) -> str:
        """The trajectory of one structure at one temperature: built, equilibrated, sampled."""
        forcefield = self.forcefield()
        sampling, counts = self.spec.sampling, self._counts(x)
        seed = self._seed(x, structure, temperature)
        about: About = {"composition": composition_label(x), "structure": structure}
        geometry = {name: self.spec.system.ions[name].geometry() for name in counts}
        built = add(
            self.plan,
            "build",
            {"counts": counts, "ions": geometry, "spacing": sampling.grid_spacing, "seed": seed},
            about=about,
        )
        dynamics = {
            "temperature": temperature,
            "timestep": sampling.timestep,
            "thermostat_time": sampling.thermostat_time,
            "cutoff": sampling.cutoff,
            "kspace_accuracy": sampling.kspace_accuracy,
            "seed": seed,
            "tail": sampling.tail,
            "pressure": sampling.pressure,
        }
        npt = sampling.ensemble == "npt"
        equilibrated = add(
            self.plan,
            "equilibrate",
            {
                **dynamics,
                "stages": self._protocol(),
                "barostat_time": sampling.barostat_time,
                "density": None
                if npt
                else box_density(self.spec.system, self.spec.compositions, x),
                "settle": sampling.settle,
            },
            {"forcefield": (forcefield,), "structure": (built,)},
            about=about,
        )
        return add(
            self.plan,
            "sample",
            {
                **dynamics,
                "duration": sampling.duration,
                "interval": sampling.interval,
                "barostat_time": sampling.barostat_time if npt else None,
            },
            {"forcefield": (forcefield,), "structure": (equilibrated,)},
            about={**about, "T": temperature, "system": self.spec.system.name},
        )

    def _configurations(self, x: Composition, role: int) -> tuple[tuple[Configuration, ...], ...]:
        """The frames of a composition that are labelled, by temperature.

        They are equally spaced in the trajectory of one structure; each temperature gives as many.
        With `test: same_trajectory` those to test on are the frames after those trained on. Of a
        crystal each is an arrangement of its own.
        """
        if self.spec.system.crystal is not None:
            return (self._cells(self.spec.system.crystal, x, role),)
        structure, first = self._place(role)
        found = []
        for temperature in self.spec.sampling.all_temperatures():
            trajectory = self.sampled(x, structure, temperature)
            seed = self._seed(x, structure, temperature)
            numbers = [self._frame(first + i) for i in range(self.spec.dataset.frames)]
            found.append(
                tuple(Configuration(trajectory, n, temperature, seed + n) for n in numbers)
            )
        return tuple(found)

    def _cells(self, crystal: Crystal, x: Composition, role: int) -> tuple[Configuration, ...]:
        """Disordered cells of a crystal, each with a seed of its own."""
        units, temperature = self.spec.compositions.pairs, self.spec.sampling.temperature
        found = []
        for number in range(self.spec.dataset.frames):
            name = ["crystal", self.spec.sampling.seed, composition_label(x), role, number]
            seed = 1 + int(digest("ilmlip.seed", name), 16) % (LARGEST_SEED - 1)
            key = add(
                self.plan,
                "crystal",
                {
                    "crystal": crystal,
                    "counts": self._counts(x),
                    "repeats": crystal.cells(units),
                    "seed": seed,
                },
                about={"composition": composition_label(x), "structure": role},
            )
            found.append(Configuration(key, 0, temperature, seed))
        return tuple(found)

    def _labels(self, x: Composition, role: int) -> tuple[str, ...]:
        """The labelled frames of a composition, each its own task."""
        frames = [(c.trajectory, c.frame) for group in self.configurations(x, role) for c in group]
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

    def _place(self, role: int) -> tuple[int, int]:
        """The structure that a role's frames come from, and the first of its labelled frames."""
        later = role == TESTING and self.spec.dataset.test == "same_trajectory"
        return (TRAINING, self.spec.dataset.frames) if later else (role, 0)

    def _frame(self, labelled: int) -> int:
        """Number in the trajectory of a labelled frame."""
        return (labelled + 1) * self.spec.dataset.every - 1

    def _series(self, x: Composition, role: int, part: Derived) -> tuple[str, ...]:
        """What is derived of one kind from the frames of a composition, a task a frame."""
        about: About = {
            "composition": composition_label(x),
            "structure": self._place(role)[0],
            "kind": part.kind,
        }
        found = []
        for group in self.configurations(x, role):
            for one in (group[i] for i in spread(len(group), part.frames)):
                params: dict[str, Any] = {"frame": one.frame, **self.labelling(x)}
                params[part.kind] = plain(getattr(part, part.kind))
                if part.aimd is not None:
                    params["temperature"] = part.aimd.temperature or one.temperature
                    params[part.kind]["temperature"] = None
                params["seed"] = one.seed
                needs = self.label_needs(one.trajectory)
                found.append(add(self.plan, "series", params, needs, about=about, how=self.how()))
        return tuple(found)

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
    ) -> str:
        """The frames of some compositions: to train and validate on, or to test on.

        `member`: which split of them, for a committee whose members validate on different frames.
        `chosen`: labels that rounds of learning on the fly have added.
        """
        if self.spec.dft.files is not None:
            return self._imported(fractions, structure, self.spec.dft.files, member)
        parts = self.spec.dataset.derived or (Derived(kind="frames"),)
        needs: dict[str, tuple[str, ...]] = {}
        take: dict[str, list[int]] = {}
        for part in parts:
            if part.kind == "frames":
                needs["labels"] = tuple(k for x in fractions for k in self.labels(x, structure))
            else:
                keys = tuple(k for x in fractions for k in self.series(x, structure, part))
                needs[part.kind], take[part.kind] = keys, list(part.taken())
        quorum = self.spec.dataset.quorum
        origins = self._origins(fractions, structure, parts) if len(parts) > 1 else {}
        some = dict.fromkeys(needs, quorum)
        if chosen:
            needs[CHOSEN], some[CHOSEN] = chosen, SOME
        return add(
            self.plan,
            "dataset",
            {"take": take, "origins": origins, **self._split(structure, member)},
            needs,
            quorum=some,
            about=self._about_dataset(fractions, structure),
            how={"quorum": quorum},
        )

    def _origins(
        self, fractions: tuple[Composition, ...], structure: int, parts: Sequence[Derived]
    ) -> dict[str, list[int]]:
        """By role, which of the data set's frames each label and each series comes from."""
        found: dict[str, list[int]] = {}
        first = 0
        for x in fractions:
            for group in self.configurations(x, structure):
                for part in parts:
                    role = "labels" if part.kind == "frames" else part.kind
                    chosen = spread(len(group), None if role == "labels" else part.frames)
                    found.setdefault(role, []).extend(first + i for i in chosen)
                first += len(group)
        return found

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
            },
            about={"system": system.name},
            how={"paths": list(files.paths)},
        )

    def _elements(self) -> tuple[str, ...]:
        """Every element that a model may meet in the study's tests or training."""
        ions = {i for x in self.spec.compositions.everything() for i in self._counts(x)}
        return self.spec.system.elements_of(ions)

    def _protocol(self) -> list[dict[str, Any]]:
        """The stages of the equilibration with their durations scaled to whole time steps."""
        sampling = self.spec.sampling
        scale, step = sampling.equilibration.time_scale, sampling.timestep
        found = []
        for part in plain(list(sampling.equilibration.stages)):
            if "duration" in part:
                part["duration"] = max(1, round(part["duration"] * scale / step)) * step
            found.append(part)
        return found
