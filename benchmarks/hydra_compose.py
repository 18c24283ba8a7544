"""Times Hydra's own compose: `python -m benchmarks.hydra_compose FILE N`.

Composes N points of a spec, each with its overrides, as Hydra's sweepers do; nothing is validated.
The last line is a JSON object of seconds a point, imports and a first composition left out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from benchmarks.measure import REPOSITORY
from benchmarks.workload import points


def main(file: str, count: str) -> None:
    """Compose one, then all."""
    path = Path(file)
    search = f"hydra.searchpath=['file://{REPOSITORY / 'conf'}']"
    chosen = points(int(count))
    with initialize_config_dir(str(path.parent), version_base="1.3"):
        compose(path.stem, [search])
        began = time.perf_counter()
        for point in chosen:
            words = [f"++{key}={value}" for key, value in point.items()]
            OmegaConf.to_container(compose(path.stem, [search, *words]), resolve=True)
        seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds / len(chosen)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
