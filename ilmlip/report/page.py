"""The page of a study: one HTML file that needs nothing else, neither a network nor a script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

TEMPLATE = "page.html.j2"
FOLDED = {"matrix.md": "Every error as a table, by element too"}
"""Pages that are long."""


@dataclass(frozen=True)
class Table:
    """Rows of cells that are shown as they are."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    kind: Literal["table"] = "table"


@dataclass(frozen=True)
class Text:
    """A paragraph; `mark` is good, bad or open, for a statement that holds, does not, or may."""

    text: str
    mark: str = ""
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file, folded under a title."""

    title: str
    text: str
    kind: Literal["code"] = "code"


@dataclass(frozen=True)
class Figure:
    """A picture, PNG."""

    caption: str
    png: bytes
    kind: Literal["figure"] = "figure"

    @property
    def uri(self) -> str:
        """The picture itself as an address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Markdown:
    """A page that a stage wrote."""

    text: str
    folded: str = ""
    """The title that it is folded under; empty: it is open."""
    kind: Literal["markdown"] = "markdown"

    @property
    def html(self) -> str:
        """Its tables and paragraphs; pictures stand on their own. What looks like HTML is text."""
        lines = [line for line in self.text.splitlines() if not line.startswith("![")]
        rendered: str = _markdown().render("\n".join(lines))
        # the page has one heading, and sections of its own
        for level in (3, 2, 1):
            for mark in ("<h", "</h"):
                rendered = rendered.replace(f"{mark}{level}>", f"{mark}{level + 2}>")
        # each table scrolls by itself, with its bar below it
        rendered = rendered.replace("<table>", '<div class="wide" tabindex="0"><table>')
        return rendered.replace("</table>", "</table></div>")


Part = Table | Text | Code | Figure | Markdown


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; `name` is its id."""

    name: str
    title: str
    parts: Sequence[Part]


def render(title: str, subtitle: str, sections: Sequence[Section], made: str) -> str:
    """The page as HTML; empty sections are left out. `made`: by what and when."""
    shown = [section for section in sections if section.parts]
    return str(_template().render(title=title, subtitle=subtitle, sections=shown, made=made))


def outputs_parts(outputs: dict[str, Path]) -> list[Part]:
    """Pages and pictures among a study's outputs, each picture after the page that names it."""
    found: list[Part] = []
    pictures = {n: p for n, p in outputs.items() if p.suffix == ".png"}
    for path in (p for p in outputs.values() if p.suffix == ".md"):
        text = path.read_text(encoding="utf-8")
        found.append(Markdown(text, FOLDED.get(path.name, "")))
        for name in [n for n, p in pictures.items() if f"]({p.name})" in text]:
            found.append(Figure(caption(name), pictures.pop(name).read_bytes()))
    return [*(Figure(caption(n), p.read_bytes()) for n, p in pictures.items()), *found]


def caption(name: str) -> str:
    """What an output is called, for people."""
    known = {
        "figure": "Errors of every model at every composition",
        "errors_figure": "Errors against the composition",
        "ion_energies_figure": "Energies per ion beside the labels' own difference",
        "md_figure": "Temperature, density, energy and largest force of each MD run",
        "observables_figure": "Radial distribution functions and mean-square displacements",
        "densities_figure": "Density against temperature",
        "compressibility_figure": "Density against pressure, with the Tait equation",
        "validation_figure": "Energies along the MD runs, model and reference",
        "committee_figure": "Spread of the committee and true error along the MD runs",
        "active_figure": "Errors against the number of labelled frames, round by round",
        "imported_figure": "Energies, forces, pressures and densities of the imported frames",
    }
    if name.startswith("dataset_figure"):
        return "Energies, forces, pressures and densities of a data set"
    return known.get(name, name.replace("_", " ").capitalize())


@cache
def _markdown() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(
        resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
