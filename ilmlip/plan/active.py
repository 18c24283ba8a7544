"""Learning on the fly, unrolled: every round is in the plan, and says itself whether it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ilmlip.hashing import plain
from ilmlip.plan.add import SOME, About, add, seed_of
from ilmlip.plan.configurations import TESTING, TRAINING
from ilmlip.plan.frames import Frames
from ilmlip.plan.graph import Plan
from ilmlip.spec.active import Active
from ilmlip.spec.derived import VolumeScan
from ilmlip.spec.mixtures import Composition, composition_label, set_label
from ilmlip.spec.types import Spec

Needs = Mapping[str, tuple[str, ...]]
Train = Callable[[int, str, Needs], str]
"""Adds a training: seed, data set, what it needs besides; returns its key."""
THERMO = 10.0
"""Time between lines of a run's table, fs."""
FILES = {"active": "active.csv", "active_page": "active.md", "active_figure": "active.png"}


@dataclass(frozen=True)
class Round:
    """The models of one round, and what was looked at with them; round 0 is the first training."""

    training: str
    number: int
    members: tuple[str, ...]
    """Key of each seed's training."""
    data: tuple[str, ...]
    """Key of each seed's data set."""
    explored: dict[Composition, str] = field(default_factory=dict)
    """Key of the run at each composition."""
    chosen: dict[Composition, str] = field(default_factory=dict)
    """Key of what was chosen of it."""


def learn(
    plan: Plan,
    spec: Spec,
    frames: Frames,
    fractions: tuple[Composition, ...],
    train: Train,
    about: About,
) -> list[Round]:
    """The rounds of one training set; a single one without active learning of its own.

    Every round trains all seeds anew on all frames that there are by then. The last one chooses none.
    """
    active = spec.dataset.active
    if active is None:
        return [_trained(spec, frames, fractions, train, None, (), {})]
    if active.rounds_of == "composition":
        chosen, held = frames.collection(fractions), active.test_fraction
        return [_trained(spec, frames, fractions, train, None, chosen, {}, held)]
    counts = (*[active.frames] * active.rounds, 0)
    return _rounds(plan, spec, frames, active, fractions, counts, train, about)[0]


def collect(
    plan: Plan,
    spec: Spec,
    frames: Frames,
    trainer: Callable[[tuple[Composition, ...]], tuple[Train, About]],
) -> list[Round]:
    """The rounds of each composition, where all training sets share the frames that they add.

    Leaves the labels of these frames in `frames.collected`. What the last frames would teach is
    left to the training sets.
    """
    active = spec.dataset.active
    if active is None or active.rounds_of != "composition":
        return []
    found: list[Round] = []
    for x in spec.compositions.everything():
        counts = active.counts(composition_label(x))
        rounds, added = _rounds(plan, spec, frames, active, (x,), counts, *trainer((x,)))
        frames.collected[x] = added
        found += rounds
    return found


def _rounds(
    plan: Plan,
    spec: Spec,
    frames: Frames,
    active: Active,
    fractions: tuple[Composition, ...],
    counts: Sequence[int],
    train: Train,
    about: About,
) -> tuple[list[Round], tuple[str, ...]]:
    """Rounds that add at most `counts` frames of each composition, and the labels of what they add."""
    found: list[Round] = []
    chosen: tuple[str, ...] = ()
    more: dict[str, tuple[str, ...]] = {}
    for count in counts:
        earlier = found[-1] if found else None
        made = _trained(spec, frames, fractions, train, earlier, chosen, more)
        found.append(made)
        if not count and not active.check:
            continue
        before = earlier.chosen if earlier else {}
        for x in fractions:
            made.explored[x] = _explore(plan, frames, active, x, made, before.get(x), about)
            made.chosen[x] = _choose(plan, active, x, made, count)
            scan = None if active.scan is None else frames.scan(x, active.scan)
            chosen += chosen_labels(frames, x, made.chosen[x], count, "chosen", scan)
        more = {"round": tuple(made.chosen.values())}
    return found, chosen


def _trained(
    spec: Spec,
    frames: Frames,
    fractions: tuple[Composition, ...],
    train: Train,
    earlier: Round | None,
    chosen: tuple[str, ...],
    more: Needs,
    held: float = 0.0,
) -> Round:
    """A training of every seed on the sampled and the chosen frames; `held`: see `Frames.dataset`."""
    seeds = spec.model.seeds
    data = tuple(
        frames.dataset(
            fractions, TRAINING, place if spec.model.committee_splits else 0, chosen, held
        )
        for place in range(len(seeds))
    )
    members = []
    for place, (seed, own) in enumerate(zip(seeds, data, strict=True)):
        before = {"earlier": (earlier.members[place],)} if earlier else {}
        members.append(train(seed, own, {**before, **more}))
    number = earlier.number + 1 if earlier else 0
    return Round(set_label(fractions), number, tuple(members), data)


def _explore(
    plan: Plan,
    frames: Frames,
    active: Active,
    x: Composition,
    made: Round,
    before: str | None,
    about: About,
) -> str:
    """A run of the first member from the end of the trajectory that is trained on."""
    # the same first velocities however frames are chosen, so that ways of choosing compare
    seed = seed_of("active", composition_label(x), active.run.temperature, made.number)
    step = active.run.timestep
    needs = {
        "model": made.members,
        "structure": (frames.configurations(x, TRAINING)[0][-1].trajectory,),
        **({} if before is None else {"before": (before,)}),
    }
    params: dict[str, Any] = {
        "run": active.run,
        "seed": seed,
        "thermo_every": max(1, round(THERMO / step)),
        "frame_every": round(active.interval / step),
        "guards": active.guards,
    }
    told: About = {
        "composition": composition_label(x),
        "round": made.number,
        "T": active.run.temperature,
    }
    return add(plan, "explore", params, needs, about={**about, **told})


def _choose(plan: Plan, active: Active, x: Composition, made: Round, count: int) -> str:
    params: dict[str, Any] = {
        "choose": active.choose,
        "frames": count,
        "check": active.check,
        "apart": active.apart,
        "stop": active.stop,
        "highest": active.highest,
        "seed": seed_of("choose", composition_label(x), made.number),
    }
    told: About = {"composition": composition_label(x), "round": made.number}
    return add(plan, "choose", params, {"explored": (made.explored[x],)}, about=told)


def chosen_labels(
    frames: Frames,
    x: Composition,
    explored: str,
    count: int,
    of: str,
    scan: VolumeScan | None = None,
) -> tuple[str, ...]:
    """Labels of up to `count` frames of composition `x` that a round chose (or is to check)."""
    settings = frames.labelling(x)
    about: About = {"composition": composition_label(x), "structure": of}
    return tuple(
        add(
            frames.plan,
            "label_chosen",
            {"frame": number, "of": of, "scan": scan, **settings},
            frames.label_needs(explored),
            about=about,
            how=frames.how(),
        )
        for number in range(count)
    )


def learnt(
    plan: Plan, spec: Spec, frames: Frames, rounds: Sequence[Round]
) -> dict[str, tuple[str, str]]:
    """What the rounds brought: the error in dynamics and in testing against the number of labels."""
    active = spec.dataset.active
    if active is None:
        return {}
    entries: list[dict[str, Any]] = []
    roles = ("dataset", "explored", "chosen", "checked", "testing")
    needs: dict[str, list[str]] = {role: [] for role in roles}
    for made in rounds:
        for x, explored in made.explored.items():
            # the rounds' models have been trained on what is tested on, if that is collected, too
            tested = x in spec.compositions.fractions and not active.test_fraction
            entries.append(
                {
                    "choose": active.choose,
                    "training": made.training,
                    "composition": composition_label(x),
                    "round": made.number,
                    "members": len(made.members) if tested else 0,
                    "check": active.check,
                }
            )
            needs["dataset"].append(made.data[0])
            needs["explored"].append(explored)
            needs["chosen"].append(made.chosen[x])
            needs["checked"] += chosen_labels(frames, x, made.chosen[x], active.check, "checked")
            if tested:
                needs["testing"] += _evaluations(plan, frames, made, x)
    given = {role: tuple(keys) for role, keys in needs.items() if keys}
    some = dict.fromkeys(given, SOME)
    key = add(plan, "active_report", {"entries": tuple(entries)}, given, quorum=some)
    return {output: (key, file) for output, file in FILES.items()}


def together(plan: Plan) -> None:
    """The rounds of all points of a sweep in one table and figure: outputs of the first point."""
    tables = dict.fromkeys(made["active"][0] for made in plan.outputs if "active" in made)
    if len(tables) < 2:
        return
    entries: list[Any] = []
    needs: dict[str, tuple[str, ...]] = {}
    for key in tables:
        entries += plain(plan.tasks[key].params)["entries"]
        for role, keys in plan.tasks[key].needs.items():
            needs[role] = needs.get(role, ()) + keys
    params = {"entries": tuple(entries)}
    joined = add(plan, "active_report", params, needs, quorum=dict.fromkeys(needs, SOME))
    plan.outputs[0] |= {
        output.replace("active", "active_all"): (joined, file) for output, file in FILES.items()
    }


def _evaluations(plan: Plan, frames: Frames, made: Round, x: Composition) -> list[str]:
    """Each member on the test frames of a composition; of the last round the study has them anyhow."""
    tests = frames.dataset((x,), TESTING)
    about: About = {"training": made.training, "round": made.number}
    return [
        add(
            plan,
            "evaluate",
            {"kind": "nequip"},
            {"model": (member,), "dataset": (tests,)},
            about={**about, "composition": composition_label(x), "model": member},
        )
        for member in made.members
    ]
