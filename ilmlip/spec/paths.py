"""Paths and addresses that a spec names: nothing outside the study's folder unless it is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ilmlip.errors import SpecError
from ilmlip.spec.locate import Sources
from ilmlip.spec.outside import COMPILED, PACKAGED, elements_of_file
from ilmlip.spec.shipped import did_you_mean, options
from ilmlip.spec.yaml_file import shown
from ilmlip.uri import remember

SQLITE = "sqlite:///"


def check(
    section: str, raw: Any, sources: Sources, file: Path | None, allow: Sequence[str]
) -> None:
    """Refuse a store or a tracking address that a file, not the command line, puts elsewhere."""
    if section == "store" and isinstance(raw, str) and not sources.is_typed(("store",)):
        _inside(raw, Path.cwd(), sources.place(("store",)), f"store={raw}", allow)
    if section != "tracking" or not isinstance(raw, dict) or not isinstance(raw.get("uri"), str):
        return
    uri = remember(raw["uri"])
    allowed = [remember(one) for one in allow]
    if not uri or sources.is_typed(("tracking", "uri")) or uri in allowed:
        return
    place = sources.place(("tracking", "uri"))
    if uri.startswith(SQLITE):
        _inside(uri.removeprefix(SQLITE), Path.cwd(), place, f"tracking.uri={uri}", allow)
        return
    raise SpecError(
        place,
        f"sends every run to {urlsplit(uri).netloc or uri!r}; if you want that, say so on the "
        f"command line: tracking.uri={uri} or --allow {uri}",
    )


def ion_file(
    value: str, where: str, file: Path | None, sources: Sources, allow: Sequence[str]
) -> Path:
    """The data file of an ion: a name in conf/ion, or a path beside the spec."""
    if not value.endswith((".yaml", ".yml")):
        known = options("ion")
        if value in known:
            return known[value]
        raise SpecError(
            where,
            f"unknown ion {value!r}; {did_you_mean(value, known)}there are {', '.join(known)}, "
            "or give a .yaml file",
        )
    typed = where.startswith("command line")
    folder = Path.cwd() if file is None or typed else file.parent
    path = Path(value) if Path(value).is_absolute() else folder / value
    if not typed:
        _inside(value, folder, where, "--allow " + value, allow)
    if not path.is_file():
        raise SpecError(where, f"no such file: {value} (looked at {shown(path)})")
    return path


def labelled_files(
    dft: Any,
    sources: Sources,
    file: Path | None,
    allow: Sequence[str],
    digest: Callable[[Path], str],
) -> dict[str, Any]:
    """The section `dft` with the paths of its labelled files made whole, and with their SHA-256.

    Raises SpecError for a file that is not there, leads out of the spec's folder (unless it was
    typed or allowed), or is not the one whose digest the section states.
    """
    files = dict(dft["files"])
    found, digests = [], []
    stated = list(files.get("sha256") or ())
    for index, value in enumerate(files["paths"]):
        where = sources.place(("dft", "files", "paths", str(index)))
        path, sha256 = _given(value, where, file, allow, digest)
        digests.append(sha256)
        if index < len(stated) and stated[index] != sha256:
            raise SpecError(
                where,
                f"{value} is another file: its SHA-256 is {sha256[:16]}…, and the spec was made "
                f"of {stated[index]!s:.16}…; name the right file, or set dft.files.sha256=[]",
            )
        found.append(str(path))
    return {**dft, "files": {**files, "paths": found, "sha256": digests}}


def outside_models(
    models: dict[str, Any],
    sources: Sources,
    file: Path | None,
    allow: Sequence[str],
    digest: Callable[[Path], str],
) -> dict[str, Any]:
    """`analysis.models` with the paths of files made whole, and with their SHA-256.

    Raises SpecError for a file that is not there, leads out of the spec's folder (unless it was
    typed or allowed), is another than the section states, or is no model of nequip's.
    """
    found = dict(models)
    for name, model in models.items():
        value = model.get("package") if isinstance(model, dict) else None
        if not isinstance(value, str) or not value.endswith((PACKAGED, COMPILED)):
            continue  # the validation says what is wrong, if anything is
        where = sources.place(("analysis", "models", name, "package"))
        found[name] = packaged(model, where, file, allow, digest)
    return found


def packaged(
    model: dict[str, Any],
    where: str,
    file: Path | None,
    allow: Sequence[str],
    digest: Callable[[Path], str],
) -> dict[str, Any]:
    """A mapping that names a `package`, with its path made whole and its SHA-256.

    Raises SpecError as `outside_models`, naming `where`.
    """
    found = one_file(model, "package", where, file, allow, digest)
    try:
        elements_of_file(found["package"], found["sha256"])
    except ValueError as error:
        raise SpecError(where, f"{model['package']} {error}") from None
    return found


def one_file(
    section: dict[str, Any],
    key: str,
    where: str,
    file: Path | None,
    allow: Sequence[str],
    digest: Callable[[Path], str],
) -> dict[str, Any]:
    """A mapping that names a file by `key`, with its path made whole and its SHA-256.

    Raises SpecError, naming `where`, for a file that is not there, leads out of the spec's folder
    (unless it was typed or allowed), or is another than the section states.
    """
    value = section[key]
    path, sha256 = _given(value, where, file, allow, digest)
    stated = section.get("sha256") or sha256
    if stated != sha256:
        raise SpecError(
            where,
            f"{value} is another file: its SHA-256 is {sha256[:16]}…, and the spec was made of "
            f"{stated!s:.16}…; name the right file, or leave sha256 out",
        )
    return {**section, key: str(path), "sha256": sha256}


def _given(
    value: str,
    where: str,
    file: Path | None,
    allow: Sequence[str],
    digest: Callable[[Path], str],
) -> tuple[Path, str]:
    """A file that a spec names, made whole, and its SHA-256."""
    typed = where.startswith("command line")
    folder = Path.cwd() if file is None or typed else file.parent
    if not typed:
        _inside(value, folder, where, f"--allow {value}", allow)
    path = (folder / value).resolve()
    if not path.is_file():
        raise SpecError(where, f"no such file: {value} (looked at {shown(path)})")
    return path, digest(path)


def _inside(value: str, folder: Path, where: str, remedy: str, allow: Sequence[str]) -> None:
    """Refuse a path that leads out of a folder, by name or through a link."""
    try:
        path = (folder / value).resolve()
        if path.is_relative_to(folder.resolve()):
            return
        if any(path.is_relative_to(Path(one).resolve()) for one in allow):
            return
    except (OSError, ValueError, RuntimeError) as error:
        raise SpecError(where, f"is no path: {error}") from None
    raise SpecError(
        where,
        f"{value!r} leads out of the study's folder; if you want that, say so on the command "
        f"line: {remedy}",
    )
