"""Whether this machine has what the labels take: programs, and files of pseudopotentials."""

from __future__ import annotations

from collections.abc import Iterator

from ilmlip.engines import gpaw
from ilmlip.engines.nequip_package import lacks_compiler
from ilmlip.engines.pseudopotentials import checked_files, family_folder
from ilmlip.errors import SpecError
from ilmlip.lint.finding import Finding
from ilmlip.spec.dft import Qe, Vasp
from ilmlip.spec.mixtures import ion_counts
from ilmlip.spec.outside import lacks_calculator
from ilmlip.spec.profile import ProgramName, profile
from ilmlip.spec.types import Spec

PROGRAMS: dict[str, ProgramName] = {"qe_pbe_d3": "pw.x", "cp2k_pbe_d3": "cp2k", "vasp_pbe": "vasp"}
"""The program of each engine that has one of its own."""
HERE = ("local", "debug")
"""Executors whose jobs run on this machine."""


def compiling(spec: Spec) -> Iterator[Finding]:
    """`compiler-missing`, where models are to be compiled on this machine."""
    if spec.model.compiled and spec.cluster.executor in HERE and (lacks := lacks_compiler()):
        yield Finding(
            "compiler-missing", "warning", "model.compiled", f"{lacks}. No model is compiled here"
        )


def outside(spec: Spec) -> Iterator[Finding]:
    """`calculator-missing`, where a model from outside is evaluated on this machine."""
    for name, model in spec.analysis.models.items() if spec.cluster.executor in HERE else ():
        if model.calculator is not None and (lacks := lacks_calculator(model.calculator)):
            where = f"analysis.models.{name}.calculator"
            yield Finding("calculator-missing", "error", where, lacks)


def machine(spec: Spec) -> Iterator[Finding]:
    """`program-missing` and `pseudopotential-missing`, where labels are made on this machine."""
    if spec.cluster.executor not in HERE:
        return
    program = PROGRAMS.get(spec.dft.engine)
    lacks = profile().lacks(program) if program else ""
    if spec.dft.engine == "gpaw_pbe_d3":
        lacks = gpaw.lacks()
    if lacks:
        yield Finding("program-missing", "error", "dft.engine", f"is {spec.dft.engine}: {lacks}")
    if spec.dft.qe is not None:
        yield from _pseudopotentials(spec.dft.qe, labelled_elements(spec), "dft.qe")
    if spec.dft.vasp is not None:
        yield from _pseudopotentials(spec.dft.vasp, labelled_elements(spec), "dft.vasp", "POTCAR")


def labelled_elements(spec: Spec) -> list[str]:
    """Every element of the compositions that are trained or tested on, by the alphabet."""
    mix, system = spec.compositions, spec.system
    species = {name for x in mix.everything() for name in ion_counts(system, mix, x)}
    return list(system.elements_of(species))


def _pseudopotentials(
    settings: Qe | Vasp, elements: list[str], where: str, inside: str = ""
) -> Iterator[Finding]:
    """A finding for a family that is not there, else one for each element's file."""
    try:
        family_folder(settings.family, f"{where}.family")
    except SpecError as error:
        yield Finding("pseudopotential-missing", "error", error.where, error.message)
        return
    for element in elements:
        try:
            checked_files(settings.family, settings.pseudopotentials, [element], where, inside)
        except SpecError as error:
            yield Finding("pseudopotential-missing", "error", error.where, error.message)
