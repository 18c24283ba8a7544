"""Values of a spec against physical ranges: a decimal point, or another unit, is found here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from ilmlip import ranges
from ilmlip.chemistry.check import bond_periods, implausible
from ilmlip.chemistry.elements import NUMBERS
from ilmlip.lint.finding import Finding, Severity
from ilmlip.lint.machine import labelled_elements
from ilmlip.spec.mixtures import ion_counts
from ilmlip.spec.types import Spec

LAST = {"gfn1_xtb": "Rn"}
"""The last element that an engine has."""
LAST_OF_D3 = "Pu"
"""D3 has coefficients up to here (Grimme et al. 2010)."""
SEVERITY: dict[ranges.Verdict, Severity] = {"unusual": "warning", "impossible": "error"}


def values(spec: Spec) -> Iterator[Finding]:
    """`value-range`: every value that the table of ranges knows."""
    for path, allowed in ranges.of_fields().items():
        for where, value in _at(spec, path.split(".")):
            yield from _judged(allowed, value, where)
    for where, value in _densities(spec):
        yield from _judged(ranges.of_density(), value, where)


def _judged(allowed: ranges.Range, value: float, where: str) -> Iterator[Finding]:
    if (verdict := allowed.verdict(value)) is not None:
        yield Finding("value-range", SEVERITY[verdict], where, f"is {allowed.text(value)}")


def _at(value: Any, names: list[str], place: str = "") -> Iterator[tuple[str, float]]:
    """The numbers at a path, and the path of each."""
    if not names:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield place, float(value)
        return
    name, *rest = names
    inner: list[tuple[str, Any]] = []
    if name == "*":
        inner = [(str(i), one) for i, one in enumerate(value)]
    elif isinstance(value, BaseModel):
        inner = [(name, getattr(value, name))]
    for key, one in inner:
        if one is not None:
            yield from _at(one, rest, f"{place}.{key}" if place else key)


def _densities(spec: Spec) -> Iterator[tuple[str, float]]:
    """What the molar volume of each salt that is used means, g/cm³."""
    for name in spec.compositions.salts if spec.is_sampled() else ():
        salt = spec.system.salts[name]
        mass = sum(n * spec.system.ions[ion].mass() for ion, n in salt.ions.items())
        yield f"system.salts.{name}.molar_volume", mass / salt.molar_volume


def steps(spec: Spec) -> Iterator[Finding]:
    """`timestep-bond` and `damping-time`: time steps against the fastest bond and the damping."""
    allowed = ranges.of_steps()
    sampling, ensemble = spec.sampling, spec.ensemble
    runs: list[tuple[str, Any]] = []
    if spec.is_sampled():
        runs.append(("sampling", sampling))
    if ensemble.kind != "none":
        runs.append(("ensemble", ensemble))
    if spec.dataset.active is not None:
        runs.append(("dataset.active.run", spec.dataset.active.run))
    fastest = min(_periods(spec), default=None)
    for where, run in runs:
        if run.timestep is None:
            continue
        if fastest is not None and fastest[0] < allowed.usual * run.timestep:
            period, bond = fastest
            impossible = period < allowed.possible * run.timestep
            yield Finding(
                "timestep-bond",
                "error" if impossible else "warning",
                f"{where}.timestep",
                f"is {run.timestep:g} fs, {period / run.timestep:.1f} steps in a period of the bond "
                f"{bond} ({period:.1f} fs); {allowed.reason}. At most {period / allowed.usual:.2g} fs",
            )
        for name, (low, high) in (
            ("thermostat", allowed.thermostat),
            ("barostat", allowed.barostat),
        ):
            time = getattr(run, f"{name}_time", None)
            if time is not None and not low <= time / run.timestep <= high:
                yield Finding(
                    "damping-time",
                    "warning",
                    f"{where}.{name}_time",
                    f"is {time:g} fs, {time / run.timestep:g} time steps; usual is {low:g} to "
                    f"{high:g} ({allowed.damping})",
                )


def _periods(spec: Spec) -> Iterator[tuple[float, str]]:
    for name in _ions(spec) if spec.dft.engine != "files" else ():
        for bond, period in bond_periods(spec.system.ions[name]).items():
            yield period, f"{bond} of {name}"


def _ions(spec: Spec) -> list[str]:
    """The ions of the compositions that are used; none of a crystal."""
    if spec.system.crystal is not None:
        return []
    mix = spec.compositions
    return sorted({ion for x in mix.everything() for ion in ion_counts(spec.system, mix, x)})


def bonds_seen(spec: Spec) -> Iterator[Finding]:
    """`cutoff-bond`: a cutoff of the model within the longest bond."""
    if not spec.model.seeds:
        return
    lengths = [
        (math.dist(at[a], at[b]), f"{a}-{b} of {name}")
        for name in _ions(spec)
        for at in ({atom.name: atom[4:] for atom in spec.system.ions[name].atoms},)
        for a, b in spec.system.ions[name].bonds
    ]
    longest = max(lengths, default=None)
    if longest is not None and spec.model.r_max <= longest[0]:
        yield Finding(
            "cutoff-bond",
            "error",
            "model.r_max",
            f"is {spec.model.r_max:g} Å, and the bond {longest[1]} is {longest[0]:.2f} Å long: the "
            "model would not see it. Set model.r_max=4 or more",
        )


def ions(spec: Spec) -> Iterator[Finding]:
    """`ion-range`: parameters of the ions' data files; imported labels use none of them."""
    if spec.dft.engine == "files":
        return
    for name in _ions(spec):
        for verdict, section, text in implausible(spec.system.ions[name]):
            yield Finding("ion-range", SEVERITY[verdict], f"system.ions.{name}.{section}", text)


def elements(spec: Spec) -> Iterator[Finding]:
    """`element-missing`: an element that the engine of the labels does not have."""
    limits: list[tuple[str, str]] = (
        [(LAST[spec.dft.engine], spec.dft.engine)] if spec.dft.engine in LAST else []
    )
    if spec.dft.d3() is not None:
        limits.append((LAST_OF_D3, f"D3 (dft.dispersion={spec.dft.dispersion})"))
    for last, what in limits:
        beyond = [e for e in labelled_elements(spec) if NUMBERS[e] > NUMBERS[last]]
        if beyond:
            yield Finding(
                "element-missing",
                "error",
                "dft.engine",
                f"{what} has elements up to {last}, and the study holds {', '.join(beyond)}",
            )
