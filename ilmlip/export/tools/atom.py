"""The energy of a single atom by pw.x.

    python tools/atom.py check 3-label/atom-Li     before pw.x runs: the pseudopotentials are there
    python tools/atom.py read 3-label/atom-Li      after it

Reads in that folder: atom.json (which element), pseudo.md5, atom.out.
Writes energy.json: {"element": …, "energy": eV}.
"""

import json
import sys
from pathlib import Path

from pw_inputs import check
from pw_labels import results


def read(folder: Path) -> None:
    """Write what pw.x found."""
    element = json.loads((folder / "atom.json").read_text(encoding="utf-8"))["element"]
    found = {"element": element, "energy": results(folder / "atom.out")["energy"]}
    (folder / "energy.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    {"check": check, "read": read}[sys.argv[1]](Path(sys.argv[2]))
