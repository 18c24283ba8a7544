"""MD runs of a study that became unstable: a result, not a failure, and so told of by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ilmlip.plan.graph import Plan
from ilmlip.store import Store

PAGE = "md_page"
"""The output of a study that has all its runs, with the reasons."""
STAGE = "md"


@dataclass(frozen=True)
class MdRuns:
    """How the MD runs of a study ended, of those that are done."""

    runs: int
    unstable: dict[str, str]
    """The reason why each unstable run ended, by its task's key."""
    see: Path | None
    """The page to look at."""

    def line(self) -> str:
        """One line for people; empty if no run became unstable."""
        if not self.unstable:
            return ""
        reason = next(iter(self.unstable.values()))
        where = f"see {self.see}" if self.see else "see `ilmlip status --json`"
        return (
            f"{len(self.unstable)} of {self.runs} MD runs became unstable ({reason}"
            + (", …" if len(set(self.unstable.values())) > 1 else "")
            + f"): {where}"
        )

    def data(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "runs": self.runs,
            "unstable": [{"key": key, "reason": why} for key, why in self.unstable.items()],
            **({"see": str(self.see)} if self.see else {}),
        }


def md_runs(plan: Plan, store: Store, there: Collection[str]) -> MdRuns:
    """The MD runs among the tasks whose results are `there`."""
    if not any(task.stage == STAGE for task in plan):
        return MdRuns(0, {}, None)
    from ilmlip.stages.md import is_broken

    values = {
        task.key: result.values
        for task in plan
        if task.stage == STAGE and task.key in there and (result := store.result(task.key))
    }
    broken = {key: str(one.get("reason", "")) for key, one in values.items() if is_broken(one)}
    pages = [
        store.folder(outputs[PAGE][0]) / outputs[PAGE][1]
        for outputs in plan.outputs
        if PAGE in outputs and outputs[PAGE][0] in there
    ]
    laid_out = store.root / "studies" / plan.study / "md.md"
    see = laid_out if len(plan.outputs) == 1 and laid_out.is_file() else next(iter(pages), None)
    return MdRuns(len(values), broken, see)
