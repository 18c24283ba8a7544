"""Labels by Quantum ESPRESSO in an exported study: pw.x's input, and which pseudopotentials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ilmlip.engines import qe
from ilmlip.export.layout import Series
from ilmlip.spec.derived import Aimd, Relax
from ilmlip.spec.dft import D3, Qe

ENGINE = "qe"
TEMPLATE = "in.pw"
ATOM = "atom.in"
SUMS = "pseudo.md5"
PSEUDO = "pseudo"
"""Folder of the export that takes a folder for each family; the user fills it."""


def write_label(place: Path, series: Series, atoms: Any) -> None:
    """in.pw, with the cell and positions of `atoms` until a frame's take their place; pseudo.md5.

    It is that of a single label, or of the dynamics or the relaxation that a series is.
    """
    settings = _settings(series.settings)
    given = series.settings.get("dispersion")
    d3 = None if given is None else D3.model_validate(given)
    if series.moves:
        own = series.settings[series.kind]
        moves = Aimd.model_validate(own) if series.kind == "aimd" else Relax.model_validate(own)
        lists = qe.moving(settings, moves, series.settings["temperature"] or 0.0, d3=d3)
    else:
        lists = qe.namelists(settings, d3=d3)
    _write(place / TEMPLATE, settings, atoms, lists)


def write_atom(place: Path, settings: Mapping[str, Any], element: str, edge: float) -> None:
    """atom.in, a single atom in a box of `edge` Å as the stage computes it; pseudo.md5."""
    own = _settings(settings)
    _write(place / ATOM, own, *qe.single_atom(own, element, edge))


def _write(path: Path, settings: Qe, atoms: Any, lists: dict[str, dict[str, Any]]) -> None:
    """An input, and beside it the MD5s of its pseudopotentials."""
    family = f"../../{PSEUDO}/{settings.family}"
    lists["control"]["pseudo_dir"] = family
    path.write_text(qe.input_text(settings, atoms, lists), encoding="utf-8")
    files = sorted((p.file, p.md5) for p in settings.pseudopotentials.values())
    (path.parent / SUMS).write_text(
        "".join(f"{md5}  {family}/{file}\n" for file, md5 in files), encoding="utf-8"
    )


MOVED = """
Folders with `steps.json` hold dynamics or relaxations: one run of `pw.x` a frame, whose named steps
become labelled frames. pw.x draws the velocities of dynamics itself, others in every run. A run that is
cut off starts anew.
"""


def section(all_series: Collection[Series]) -> str:
    """What the README says of pw.x and its pseudopotentials; empty if it labels nothing."""
    wanted = {
        (settings.family, element, one.file, one.md5)
        for series in all_series
        if series.engine == ENGINE
        for settings in (_settings(series.settings),)
        for element, one in settings.pseudopotentials.items()
    }
    if not wanted:
        return ""
    moved = any(series.moves and series.engine == ENGINE for series in all_series)
    rows = "\n".join(
        f"| {element} | `{PSEUDO}/{family}/{file}` | `{md5}` |"
        for family, element, file, md5 in sorted(wanted)
    )
    return f"""
Labels are made by `pw.x` of Quantum ESPRESSO (Debian: quantum-espresso), or what `PW` names, such as
`PW="mpirun -n 4 pw.x"`. Its pseudopotentials are not part of this folder; put them, or a link, here:

| element | file | MD5 |
|---|---|---|
{rows}

`3-label.sh` checks them. It writes an input a frame (`frame-0.in` …) from `{TEMPLATE}`, the packed box:
each runs by itself, `pw.x -in frame-0.in` in its folder. A frame whose output is there is not done
again unless its input changes. If one does not converge, lower `mixing_beta` in `{TEMPLATE}`.
{MOVED if moved else ""}"""


def _settings(given: Mapping[str, Any]) -> Qe:
    return Qe.model_validate(given[ENGINE])
