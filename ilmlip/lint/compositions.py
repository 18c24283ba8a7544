"""Whether the training compositions can teach what the tests ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilmlip.chemistry.rank import Coverage, coverage, joining, to_add
from ilmlip.lint.finding import Finding
from ilmlip.spec.mixtures import (
    Composition,
    composition_label,
    ion_counts,
    places_label,
    set_label,
)
from ilmlip.spec.types import Spec


def compositions(spec: Spec) -> Iterator[Finding]:
    """`energy-span` and `species-apart`, for each training set."""
    mix = spec.compositions
    charges = spec.system.charges()
    for index, fractions in enumerate(mix.training):
        where = f"compositions.training.{index}"
        seen = coverage(_counts(spec, fractions), _counts(spec, mix.fractions), charges)
        if seen.outside:
            yield Finding("energy-span", "warning", where, _span(spec, fractions, seen))
        if seen.apart:
            yield Finding("species-apart", "warning", where, _apart(spec, fractions, seen))


def _counts(spec: Spec, fractions: Sequence[Composition]) -> list[dict[str, int]]:
    return [ion_counts(spec.system, spec.compositions, x) for x in fractions]


def _others(spec: Spec, fractions: Sequence[Composition]) -> list[Composition]:
    """The tested fractions that are not trained on."""
    trained = {composition_label(x) for x in fractions}
    return [x for x in spec.compositions.fractions if composition_label(x) not in trained]


def _span(spec: Spec, fractions: Sequence[Composition], seen: Coverage) -> str:
    tests = spec.compositions.fractions
    outside = places_label([tests[i] for i in seen.outside])
    others = _others(spec, fractions)
    add = [
        composition_label(others[i])
        for i in to_add(_counts(spec, fractions), _counts(spec, others))
    ]
    return (
        f"trained on {set_label(fractions)}, energies at {outside} are undetermined up to an "
        f"arbitrary amount: {missing_direction(seen)} (rank {seen.rank}, the tests need "
        f"{seen.needed}). Forces may still transfer. Add {' and '.join(add)} to this training set"
    )


def missing_direction(seen: Coverage) -> str:
    """The direction that training leaves open, in words."""
    parts = [f"{name} is in no training composition" for name in seen.unseen]
    for a, b in seen.differences:
        parts.append(
            f"only one {a} : {b} ratio is trained on, so the energy difference {a} − {b} is "
            "undetermined"
        )
    if not parts and seen.exchange:
        parts.append(exchanged(seen.exchange))
    return "; ".join(parts) or "some combination of the ions' energies is undetermined"


def exchanged(amounts: Sequence[tuple[str, int]]) -> str:
    """What cannot be told from one ratio: the energy of so many of these for those."""

    def side(sign: int) -> str:
        parts = [(abs(n), name) for name, n in amounts if n * sign > 0]
        return " + ".join(f"{n} {name}" if n > 1 else name for n, name in parts) or "nothing"

    return (
        "only one ratio of all species is trained on, so the energy of exchanging "
        f"{side(-1)} for {side(1)} is undetermined"
    )


def _apart(spec: Spec, fractions: Sequence[Composition], seen: Coverage) -> str:
    pairs = ", ".join(f"{a} and {b}" for a, b in seen.apart)
    others = _others(spec, fractions)
    best = joining(_counts(spec, fractions), _counts(spec, others))
    add = f" Add {composition_label(others[best])} to this training set" if best is not None else ""
    return (
        f"trained on {set_label(fractions)}, {pairs} never stand together in training, and do in "
        f"tests: what they do to each other is guessed.{add}"
    )
