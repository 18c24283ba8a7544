"""The other tools, in an environment of their own: `python -m benchmarks.others` makes it.

They must not decide which versions of shared packages ilmlip runs with, nor be decided by it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = ("snakemake", "exca", "hydra-core==1.3.8", "hydra-submitit-launcher==1.2.0")
ROOT = Path(os.environ.get("ILMLIP_BENCH_OTHERS") or Path(__file__).with_name(".others"))
"""The environment, git-ignored."""
MADE = ROOT / "made.json"


def program(name: str) -> str:
    """The path of one of the environment's programs. Makes the environment if it is not there."""
    make()
    return str(ROOT / "bin" / name)


def make() -> None:
    """Make the environment from the index, unless it holds what `PACKAGES` asks for."""
    if MADE.exists() and json.loads(MADE.read_text(encoding="utf-8")) == list(PACKAGES):
        return
    print(f"making the environment of the other tools in {ROOT}", file=sys.stderr, flush=True)
    shutil.rmtree(ROOT, ignore_errors=True)
    venv.create(ROOT, with_pip=True)
    pip = [str(ROOT / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PACKAGES], check=True)
    MADE.write_text(json.dumps(PACKAGES), encoding="utf-8")


def versions(*names: str) -> dict[str, str]:
    """Versions of packages in that environment, by name."""
    code = "import json, sys; from importlib.metadata import version as v; "
    code += "print(json.dumps({name: v(name) for name in sys.argv[1:]}))"
    command = [program("python"), "-c", code, *names]
    found: dict[str, str] = json.loads(subprocess.check_output(command))
    return found


if __name__ == "__main__":
    make()
