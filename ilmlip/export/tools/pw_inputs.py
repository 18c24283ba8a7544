"""Write pw.x's input for each frame.

    python tools/pw_inputs.py 3-label/0.4-0

Reads in that folder: in.pw (an input of the same atoms), frames.extxyz, and pseudo.md5 (files and the
MD5 that they must have). Writes frame-0.in, frame-1.in …; removes the output of an input that changed.
"""

import hashlib
import sys
from pathlib import Path

import ase.io
from ase import Atoms


def check(folder: Path) -> None:
    """End the program if a pseudopotential is missing or another one."""
    for line in (folder / "pseudo.md5").read_text(encoding="utf-8").splitlines():
        wanted, name = line.split(maxsplit=1)
        path = folder / name
        shown = name.removeprefix("../../")
        if not path.is_file():
            sys.exit(f"{shown} is not there; README.md says what it is")
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if found != wanted:
            sys.exit(f"{shown} has MD5 {found}, and {wanted} is wanted: it is another version")


def with_atoms(template: str, atoms: Atoms) -> str:
    """An input with the cell and the positions of `atoms`."""
    head, _ = template.split("CELL_PARAMETERS angstrom\n")
    cell = "".join("{:.14f} {:.14f} {:.14f}\n".format(*row) for row in atoms.cell)
    rows = "".join(
        "{} {:.10f} {:.10f} {:.10f}\n".format(element, *position)
        for element, position in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)
    )
    return f"{head}CELL_PARAMETERS angstrom\n{cell}\nATOMIC_POSITIONS angstrom\n{rows}\n"


def main(folder: Path) -> None:
    """Write the inputs of one folder."""
    check(folder)
    template = (folder / "in.pw").read_text(encoding="utf-8")
    for i, atoms in enumerate(ase.io.iread(folder / "frames.extxyz")):
        text = with_atoms(template, atoms)
        path = folder / f"frame-{i}.in"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            path.with_suffix(".out").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
