"""Stage `label_chosen`: the label of a frame that a round of learning on the fly chose, if it did.

A round says at run time how many frames it adds; the plan holds as many of these as it may at most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ilmlip.record import field
from ilmlip.spec.derived import VolumeScan
from ilmlip.stages import label, series
from ilmlip.stages.base import Inputs, Output, Resources, Size, Stage


class Params(label.Params):
    """Which of the chosen frames, and by which engine."""

    of: Literal["chosen", "checked"] = field(
        "Counted among the chosen, or among those to check, which follow them in the file"
    )
    scan: VolumeScan | None = field("A scan of the frame's volume in its place", default=None)


def run(params: Params, inputs: Inputs, work: Path) -> Output:
    """As stage `label`, of role `trajectory`, a result of `choose`; a scan as stage `series`.

    values: theirs, and `there`, whether there is such a frame; without one there are no files.
    """
    values = inputs.one("trajectory").values
    if params.frame >= int(values[params.of]):
        return Output((), {"there": False})
    number = params.frame + (int(values["chosen"]) if params.of == "checked" else 0)
    plain: dict[str, Any] = {n: getattr(params, n) for n in label.Params.model_fields}
    plain["frame"] = number
    if params.scan is None:
        found = label.run(label.Params(**plain), inputs, work)
    else:
        found = series.run(series.Params(**plain, volume_scan=params.scan), inputs, work)
    return Output(found.files, {**found.values, "there": True}, found.tools, found.notes)


def labels(params: Params) -> int:
    """One, or as many as the scan has points."""
    return 1 if params.scan is None else params.scan.points


def seconds(params: Params, size: Size) -> float:
    """Of a box of so many atoms."""
    return params.seconds(size.atoms) * labels(params)


STAGE = Stage(
    "label_chosen",
    1,
    Params,
    run,
    Resources(memory_gb=0.5, seconds=0.1),
    seconds,
    labels,
    goes_on=True,
)
"""Labels a chosen frame."""
