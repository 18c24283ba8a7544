"""The study that `plan` measures, written for each tool: the same tasks and the same points.

One trajectory, 200 labels, the data sets that gather them, n points of training and evaluation, and
what is made of them in the end. Imports nothing but the standard library, as plain scripts do.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

LABELS = 200
AXES: dict[str, tuple[float, ...]] = {
    "model.learning_rate": tuple(i / 1000 for i in range(1, 11)),
    "model.loss.force": tuple(range(1, 11)),
    "model.max_steps": tuple(range(100, 1100, 100)),
    "model.batch_size": tuple(range(1, 11)),
}
"""What is swept, at most ten values each."""
LENGTHS: dict[int, tuple[int, ...]] = {
    1: (),
    4: (4,),
    24: (4, 3, 2),
    100: (10, 10),
    1_000: (10, 10, 10),
    10_000: (10, 10, 10, 10),
}
"""How many values of each axis make a number of points."""
RANGE = "model.loss.force"
"""The axis that the spec gives as a range; the others are lists."""
SPEC = """\
defaults:
  - config
  - scale: laptop
  - override model: nequip_laptop
  - override analysis: none
  - override tracking: none
  - _self_

name: bench
store: store
compositions: {{pairs: 5, fractions: [0.4], training: [[0.4]]}}
sampling: {{duration: 1.0e+5, interval: 5.0e+2}}
dataset: {{frames: {frames}, every: 1, test: same_trajectory}}
model: {{seeds: [1], linear: false}}
"""
SNAKEFILE = """\
import json
from pathlib import Path

POINTS = json.loads(Path("points.json").read_text())

rule report:
    input: expand("evaluations/{{p}}.json", p=range(len(POINTS)))
    output: "report.csv"
    shell: "touch {{output}}"

rule evaluate:
    input: model="models/{{p}}.pt", data="dataset.extxyz"
    output: "evaluations/{{p}}.json"
    shell: "touch {{output}}"

rule train:
    input: "dataset.extxyz"
    output: "models/{{p}}.pt"
    params: settings=lambda wildcards: POINTS[int(wildcards.p)]
    shell: "touch {{output}}"

rule gather:
    input: expand("labels/{{i}}.json", i=range({labels}))
    output: "dataset.extxyz"
    shell: "touch {{output}}"

rule label:
    input: "trajectory.npz"
    output: "labels/{{i}}.json"
    shell: "touch {{output}}"

rule sample:
    output: "trajectory.npz"
    shell: "touch {{output}}"
"""


def swept(count: int) -> dict[str, tuple[float, ...]]:
    """The axes of a number of points."""
    return {key: AXES[key][:length] for key, length in zip(AXES, LENGTHS[count], strict=False)}


def points(count: int) -> list[dict[str, float]]:
    """What each point sets."""
    axes = swept(count)
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def write_spec(folder: Path, count: int) -> Path:
    """The study as ilmlip's spec, with a store in the folder that it is planned in."""
    lines = [SPEC.format(frames=LABELS // 2)]
    if count > 1:
        lines.append("sweep:\n")
    for key, values in swept(count).items():
        shown = f"range(1,{len(values) + 1})" if key == RANGE else json.dumps(values)
        lines.append(f"  {key}: {shown}\n")
    file = folder / f"points{count}.yaml"
    file.write_text("".join(lines), encoding="utf-8")
    return file


def write_snakefile(folder: Path, count: int) -> Path:
    """The study as a Snakefile: the labels are gathered once, not named by each training."""
    (folder / "points.json").write_text(json.dumps(points(count)), encoding="utf-8")
    file = folder / "Snakefile"
    file.write_text(SNAKEFILE.format(labels=LABELS), encoding="utf-8")
    return file


def touch_all(folder: Path, count: int) -> None:
    """Make every file that the Snakefile makes, inputs first."""
    groups = [
        ["trajectory.npz"],
        [f"labels/{i}.json" for i in range(LABELS)],
        ["dataset.extxyz"],
        [f"models/{p}.pt" for p in range(count)],
        [f"evaluations/{p}.json" for p in range(count)],
        ["report.csv"],
    ]
    for name in itertools.chain(*groups):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.touch()


def snakemake_jobs(count: int) -> int:
    """Jobs in the Snakefile: sample, labels, gather, two a point, report."""
    return LABELS + 3 + 2 * count
