"""Figures that cannot be drawn say why: a report never fails a study."""

from __future__ import annotations

import functools
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

Draw = TypeVar("Draw", bound=Callable[..., bool | None])


def always_drawn(draw: Draw) -> Draw:
    """Decorate a function that writes a figure to a path and says whether it did (or None).

    Whatever goes wrong in it, the figure is written: with the reason in place of the picture, and the
    traceback in the task's log. Numbers are in the tables beside it, and the results that the figure
    is made of took hours.
    """

    @functools.wraps(draw)
    def safe(path: Path, *args: Any, **named: Any) -> bool | None:
        try:
            return draw(path, *args, **named)
        except Exception as error:  # a library's, on data that nobody has thought of
            traceback.print_exc()
            _excuse(path, f"This figure could not be drawn: {type(error).__name__}: {error}")
            return True

    return cast(Draw, safe)


def _excuse(path: Path, reason: str) -> None:
    """A figure that holds a sentence."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.6))
    FigureCanvasAgg(figure)
    text = textwrap.fill(" ".join(reason.split())[:400], 80)
    figure.text(0.02, 0.5, text, va="center", fontsize=10, parse_math=False)
    figure.savefig(path, dpi=130, metadata={"Software": None})
