"""Pseudopotentials by family and MD5, from the folder that this machine's profile names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ilmlip.errors import SpecError
from ilmlip.spec.dft import Pseudopotential
from ilmlip.spec.profile import profile, profile_path


def family_folder(family: str, where: str) -> Path:
    """The folder of a family. Raises SpecError, at `where`, if it is not there."""
    root = profile().pseudopotentials
    if not root:
        raise SpecError(
            where,
            f"no folder of pseudopotentials is named; write `pseudopotentials: FOLDER` into "
            f"{profile_path()}, a folder that holds {family}/",
        )
    folder = Path(root).expanduser() / family
    if not folder.is_dir():
        beside = Path(root).expanduser()
        there = sorted(p.name for p in beside.iterdir() if p.is_dir()) if beside.is_dir() else []
        raise SpecError(
            where,
            f"there is no folder {folder}; {beside} holds {', '.join(there) or 'no family'}",
        )
    return folder


def checked_files(
    family: str,
    wanted: Mapping[str, Pseudopotential],
    elements: Iterable[str],
    where: str,
    inside: str = "",
) -> dict[str, Path]:
    """The file of each element, its MD5 checked; `where` is the section, such as dft.qe.

    With `inside`, an element has a folder of its own that holds the file of this name.

    Raises SpecError that names the place, the path, and what was found and wanted.
    """
    folder = family_folder(family, f"{where}.family")
    found: dict[str, Path] = {}
    for element in sorted(set(elements)):
        place = f"{where}.pseudopotentials.{element}"
        if element not in wanted:
            names = ", ".join(sorted(wanted)) or "none"
            raise SpecError(place, f"is missing; there are {names}. Give its file and md5")
        path = folder / wanted[element].file / inside
        if not path.is_file():
            raise SpecError(place, f"there is no file {path}; put the family's file there")
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if md5 != wanted[element].md5:
            raise SpecError(
                place,
                f"{path} has MD5 {md5}, and {wanted[element].md5} is wanted: it is another version; "
                "put the family's file there, or state this one's MD5 (labels get other keys)",
            )
        found[element] = path
    return found
