"""A sweep as Hydra does it: `python -m benchmarks.hydra_app -m hydra/launcher=submitit_local …`.

In the Python of the other tools. Each point is a job, and runs ilmlip (by the Python named in
ILMLIP_PYTHON, on the spec named in ILMLIP_SPEC) in a store of its own, as it knows no other
point. What ilmlip answers is left beside that store.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=None)
def main(_: DictConfig) -> None:
    """One point."""
    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    words = [word.lstrip("+") for word in job.overrides.task]
    command = [
        os.environ["ILMLIP_PYTHON"],
        "-m",
        "ilmlip.cli",
        "run",
        os.environ["ILMLIP_SPEC"],
        "--yes",
    ]
    own = [f"store={folder / 'store'}", "cluster=debug", "--json"]
    ended = subprocess.run(
        [*command, *words, *own], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    if ended.returncode != 0:
        raise RuntimeError(f"ilmlip ended with {ended.returncode}: {ended.stderr}")
    (folder / "answer.json").write_text(ended.stdout, encoding="utf-8")


if __name__ == "__main__":
    main()
