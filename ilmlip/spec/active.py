"""Learning on the fly: the spec's section `dataset.active`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ilmlip.errors import SpecError
from ilmlip.record import Record, field
from ilmlip.spec.derived import VolumeScan
from ilmlip.spec.ensemble import Guards, Run, check_steps

Choose = Literal["spread", "random", "even"]
PLACE = "dataset.active"


class Active(Record):
    """Rounds of training a committee, dynamics with it, choosing frames, and labelling them."""

    rounds: Annotated[int, Field(ge=1, le=50)] = field("Rounds after the first training")
    frames: Annotated[int, Field(ge=1, le=1000)] = field(
        "Frames of each composition that a round adds at most"
    )
    choose: Choose = field(
        "spread: where the committee disagrees most, and far from each other; random: as many at "
        "random; even: equally spaced in time"
    )
    run: Run = field("Conditions of each round's run, which the first seed's model does")
    interval: float = field("Time between frames that can be chosen", unit="fs", gt=0)
    apart: float = field("Smallest time between chosen frames", unit="fs", ge=0, default=0.0)
    stop: float | None = field(
        "No more rounds once the largest spread of a round's run is below this; null: all rounds",
        unit="meV/Å",
        gt=0,
        default=None,
    )
    highest: float | None = field(
        "Frames with a larger spread are not chosen: such a box is no liquid any more; null: all "
        "frames can be",
        unit="meV/Å",
        gt=0,
        default=None,
    )
    check: Annotated[int, Field(ge=0, le=1000)] = field(
        "Frames of each round's run, equally spaced in time, that are labelled to find the error in "
        "dynamics, and never trained on",
        default=0,
    )
    scan: VolumeScan | None = field(
        "Add a volume scan of each chosen frame, in its place", default=None
    )
    guards: Guards = field("When a run ends as unstable", default=Guards())
    rounds_of: Literal["training_set", "composition"] = field(
        "training_set: each training set has rounds of its own; composition: each composition has "
        "rounds of its own, of models trained on it alone, whose frames are added to every "
        "training set that holds it",
        default="training_set",
        later=True,
    )
    most_frames: dict[str, Annotated[int, Field(ge=1)]] = field(
        "Frames that all rounds of a composition together add at most, by composition (rounds_of: "
        "composition), and never more than rounds × frames; empty: as many",
        default={},
        later=True,
    )
    test_fraction: Annotated[float, Field(ge=0, lt=1)] = field(
        "Share of each composition's frames, the last ones collected, that are tested on and not "
        "trained on (rounds_of: composition); 0: the test frames are others",
        default=0.0,
        later=True,
    )

    @model_validator(mode="after")
    def _run_is_whole(self) -> Self:
        needed = {"nve": (), "nvt": ("thermostat_time",)}.get(
            self.run.kind, ("thermostat_time", "barostat_time", "pressure")
        )
        for name in ("thermostat_time", "barostat_time", "pressure"):
            given = getattr(self.run, name) is not None
            if given != (name in needed):
                said = "has no meaning for" if given else "is missing for"
                raise SpecError(f"{PLACE}.run.{name}", f"{said} {self.run.kind}")
        if self.run.pressures or self.run.settle:
            raise SpecError(f"{PLACE}.run.pressures", "is a ladder; give one pressure")
        for name, value in (("interval", self.interval), ("run.duration", self.run.duration)):
            check_steps(f"{PLACE}.{name}", value, self.run.timestep)
        return self

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        there = int(self.run.duration / max(self.interval, self.apart))
        wanted = max(self.frames, self.check)
        if wanted > there:
            raise SpecError(
                f"{PLACE}.frames",
                f"asks for {wanted} frames of a run that has {there} ({self.run.duration:g} fs, one "
                f"every {max(self.interval, self.apart):g} fs); lower it, or run longer",
            )
        if self.highest is not None and self.stop is not None and self.highest <= self.stop:
            raise SpecError(f"{PLACE}.highest", f"{self.highest:g} is not above stop {self.stop:g}")
        return self

    @model_validator(mode="after")
    def _collection_is_whole(self) -> Self:
        if self.rounds_of == "training_set":
            for name in ("most_frames", "test_fraction"):
                if getattr(self, name):
                    raise SpecError(
                        f"{PLACE}.{name}",
                        "is of frames that all training sets share; set "
                        f"{PLACE}.rounds_of=composition, or leave it out",
                    )
        if self.test_fraction and self.scan is not None:
            raise SpecError(
                f"{PLACE}.test_fraction",
                "is of frames as they are collected, and scan puts others in their place; leave "
                "one of them out",
            )
        return self

    def counts(self, composition: str) -> tuple[int, ...]:
        """Frames that each round of a composition (its label) adds at most; rounds that add some."""
        whole = self.rounds * self.frames
        left = min(whole, self.most_frames.get(composition, whole))
        return tuple(min(self.frames, left - done) for done in range(0, left, self.frames))

    def check_collection(
        self, compositions: Sequence[str], *, derived: bool, test: str, test_structure: str
    ) -> None:
        """Whether every composition has its number of frames, and test frames are of one kind.

        derived, test, test_structure: whether there is dataset.derived; dataset.test and
        compositions.test_structure.
        """
        missing = [x for x in compositions if x not in self.most_frames]
        if self.most_frames and missing:
            raise SpecError(
                f"{PLACE}.most_frames",
                f"has no number for {', '.join(missing)}; it has {', '.join(self.most_frames)}. "
                "Give one for each composition, or none at all",
            )
        others = {
            "dataset.derived": derived,
            f"dataset.test={test}": test != "independent",
            f"compositions.test_structure={test_structure}": test_structure != "independent",
        }
        other = next((place for place, stated in others.items() if stated), "")
        if self.test_fraction and other:
            raise SpecError(
                f"{PLACE}.test_fraction",
                f"tests on the last frames collected, which does not go with {other}; leave one of "
                "them out",
            )

    def check_models(self, seeds: Sequence[int], engine: str) -> None:
        """Whether there are models to run, a box to start from, and an engine that labels."""
        if engine == "files":
            raise SpecError(
                PLACE,
                "labels frames of the models' runs, and dft.engine is files, which labels none; name "
                "another engine, or set dataset.active=null",
            )
        committee = 2 if self.choose == "spread" or self.stop is not None else 1
        if len(seeds) < committee:
            raise SpecError(
                PLACE,
                f"needs {committee} models that differ in their seeds, and model.seeds is "
                f"{list(seeds)}; give more, or choose=random without stop",
            )
