"""Which slow tests a run of CI takes: the turn's fifth of their files, and those whose code changed.

`.ci/turn` holds the number of the turn and the commit that the last one ended with, `.ci/seconds.json`
how long the tests of each file take and to which fifth it belongs. Five turns in a row run all. What
a file of tests uses is told by imports: its own text, the helpers that it imports, the modules of the
project that these name, and the modules that those import, one level down; and the options and
experiments that are named. What more than a third of the slow files use says nothing: every run
exercises it. A file that has never been timed always runs.

    python tests/selection.py turn      advance .ci/turn (`make turn`)
    python tests/selection.py record    rewrite .ci/seconds.json by the last full run (`make seconds`)
    python tests/selection.py           show the choice
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TURN, TIMES = Path(".ci/turn"), Path(".ci/seconds.json")
MEASURED = Path(".pytest_cache/ilmlip-seconds.json")
"""Written by every run of pytest: seconds by file of tests, those of slow tests apart."""
FIFTHS = 5
MUCH = 1200.0
"""Processor time, s, of changed slow tests that is worth a remark."""
EVERYWHERE = {"conftest", "command", "counted", "selection"}
"""Helpers that the tests of every run use."""


@dataclass(frozen=True)
class Turn:
    """A turn of CI: its number, and the commit that had passed the one before."""

    number: int
    since: str

    @property
    def fifth(self) -> int:
        """The fifth of the slow tests that it runs."""
        return self.number % FIFTHS


@dataclass(frozen=True)
class Times:
    """What is recorded of one file: seconds of its quick and slow tests, and its fifth."""

    quick: float = 0.0
    slow: float = 0.0
    fifth: int | None = None


@dataclass(frozen=True)
class Choice:
    """The files whose slow tests run, each with the reason; the turn of every other."""

    turn: Turn
    why: Mapping[str, str]
    later: Mapping[str, int]
    times: Mapping[str, Times] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The choice for a reader."""
        total = len(self.why) + len(self.later)
        took = self._seconds(self.why)
        found = [
            f"CI turn {self.turn.number}: all quick tests, and the slow ones of {len(self.why)} of "
            f"{total} files ({took:.0f} s by earlier runs); `make test-all` runs all"
        ]
        found += [f"  now, {name}: {why}" for name, why in sorted(self.why.items())]
        for turn in sorted(set(self.later.values())):
            names = sorted(name for name, when in self.later.items() if when == turn)
            found.append(f"  in turn {turn}: {', '.join(names)}")
        fifth = [name for name, why in self.why.items() if why.startswith("its turn")]
        more = took - self._seconds(fifth)
        if more > MUCH:
            found.append(f"  much has changed: {more:.0f} s more than the turn's fifth, all run")
        return found

    def _seconds(self, names: Iterable[str]) -> float:
        return sum(self.times.get(name, Times()).slow for name in names)


def read_turn(root: Path = ROOT) -> Turn:
    """The present turn."""
    data = yaml.safe_load((root / TURN).read_text(encoding="utf-8"))
    return Turn(int(data["turn"]), str(data["since"]))


def read_times(root: Path = ROOT) -> dict[str, Times]:
    """What is recorded, by file."""
    data = json.loads((root / TIMES).read_text(encoding="utf-8"))
    return {name: Times(**one) for name, one in data.items()}


def slow_files(root: Path = ROOT) -> list[str]:
    """Files with slow tests, relative to the root."""
    paths = sorted((root / "tests").rglob("test_*.py"))
    return [str(p.relative_to(root)) for p in paths if re.search(r"\bmark\.slow\b", _text(p))]


def choose(
    files: Iterable[str],
    turn: Turn,
    times: Mapping[str, Times],
    changed: Mapping[str, str] | None,
) -> Choice:
    """The files whose slow tests run; `changed` has those whose code changed, with what changed.

    Everything runs where what changed is not known (None).
    """
    why, later = {}, {}
    for name in files:
        fifth = times.get(name, Times()).fifth
        if changed is None:
            why[name] = f"nobody knows what changed since {turn.since[:9]}"
        elif fifth == turn.fifth:
            why[name] = "its turn"
        elif name in changed:
            why[name] = f"changed: {changed[name]}"
        elif fifth is None:
            why[name] = "never timed"
        else:
            later[name] = turn.number + (fifth - turn.fifth) % FIFTHS
    return Choice(turn, why, later, times)


def present(root: Path = ROOT) -> Choice:
    """The choice of the present turn for what lies here."""
    turn, files = read_turn(root), slow_files(root)
    found = changed_files(root, turn.since)
    changed = None if found is None else affected(root, files, found)
    return choose(files, turn, read_times(root), changed)


def changed_files(root: Path, since: str) -> set[str] | None:
    """Files that differ from a commit, new ones included; None without a history that has it."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=root, capture_output=True, text=True, check=False, encoding="utf-8",
            )  # fmt: skip
        except OSError:
            return None
        return None if done.returncode else done.stdout

    if git("merge-base", "--is-ancestor", since, "HEAD") is None:
        return None
    found = git("diff", "--name-only", since)
    new = git("ls-files", "--others", "--exclude-standard")
    return None if found is None or new is None else {*found.splitlines(), *new.splitlines()}


def affected(root: Path, files: Iterable[str], changed: Iterable[str]) -> dict[str, str]:
    """The files of tests that use something that changed, and what."""
    modules = {_dotted(name): name for name in changed if name.startswith("ilmlip/")}
    data = {n: _spellings(n) for n in changed if re.match(r"(conf|experiments)/.*\.yaml$", n)}
    always = {"constraints.txt"} & set(changed)
    files = list(files)
    parts_of = {file: helpers(root, file) for file in files}
    uses = {file: reach(root, parts) & modules.keys() for file, parts in parts_of.items()}
    for file, parts in parts_of.items():
        text = "\n".join(map(_text, parts))
        uses[file] |= {name for name, how in data.items() if how.search(text)}
    hubs = {one for one, n in Counter(chain(*uses.values())).items() if n > len(files) / 3}
    found = {}
    for file, parts in parts_of.items():
        own = {str(p.relative_to(root)) for p in parts} & set(changed)
        named = {modules.get(one, one) for one in uses[file] - hubs}
        if all_ := sorted(own | named | always, key=lambda name: (name != file, name)):
            rest = f" and {len(all_) - 2} more" if len(all_) > 2 else ""
            found[file] = ", ".join(all_[:2]) + rest
    return found


def _spellings(name: str) -> re.Pattern[str]:
    """How a test names an experiment ("quickstart") or an option (dft=xtb, {dft: xtb})."""
    path = Path(name)
    if path.parts[0] == "experiments":
        return re.compile(rf"[\"' ]{re.escape(path.stem)}[\"' .,]")
    return re.compile(rf"\b{re.escape(path.parent.name)}(=|: ?|/)[\"']?{re.escape(path.stem)}\b")


def helpers(root: Path, file: str) -> list[Path]:
    """The file, its folder's conftest, and the modules of tests/ that they import, to any depth."""
    there = {p.stem: p for p in (root / "tests").rglob("*.py") if p.stem not in EVERYWHERE}
    start = root / file
    beside = start.parent / "conftest.py"
    left = [start, *([beside] if beside.exists() and start.parent.name != "tests" else [])]
    found: list[Path] = []
    while left:
        path = left.pop()
        if path in found:
            continue
        found.append(path)
        left += [there[name] for name in _imported(path) if name in there]
    return found


def reach(root: Path, paths: Iterable[Path]) -> set[str]:
    """The project's modules that these files name or import, and what those import."""
    graph = _graph(str(root))
    named = {name for path in paths for name in _imported(path)}
    direct = {known for name in named if (known := _module(name, graph.keys()))}
    return direct | {below for module in direct for below in graph[module]}


@cache
def _graph(root: str) -> dict[str, frozenset[str]]:
    """Each module of the project with those that it imports."""
    import grimp

    graph = grimp.build_graph("ilmlip", cache_dir=None)
    return {
        module: frozenset(graph.find_modules_directly_imported_by(module)) - {"ilmlip"}
        for module in graph.modules
    }


def _module(name: str, known: Iterable[str]) -> str:
    """The longest beginning of a dotted name that is a module; the package itself says nothing."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return "" if name == "ilmlip" else name


@cache
def _imported(path: Path) -> frozenset[str]:
    """Names of modules that a file imports anywhere, and of the project's in its strings."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(_text(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(re.findall(r"\bilmlip(?:\.\w+)+", node.value))
    return frozenset(found)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _dotted(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def balanced(measured: Mapping[str, Mapping[str, float]]) -> dict[str, Times]:
    """What was measured, the files with slow tests dealt to the lightest fifth, the longest first."""
    found = {}
    sums = [0.0] * FIFTHS
    for name, one in sorted(measured.items(), key=lambda item: (-item[1].get("slow", 0), item[0])):
        fifth = None
        if "slow" in one:
            fifth = sums.index(min(sums))
            sums[fifth] += one["slow"]
        found[name] = Times(one.get("quick", 0.0), one.get("slow", 0.0), fifth)
    return dict(sorted(found.items()))


def record(root: Path = ROOT) -> dict[str, Times]:
    """Rewrite the table by what the last runs measured; files that no longer exist drop out."""
    old = {}
    for name, one in read_times(root).items() if (root / TIMES).exists() else ():
        kept = {"quick": one.quick} | ({"slow": one.slow} if one.fifth is not None else {})
        old[name] = kept
    measured = json.loads((root / MEASURED).read_text(encoding="utf-8"))
    slow = set(slow_files(root))
    for name, one in measured.items():
        old[name] = {**old.get(name, {}), **one}
    table = balanced(
        {
            name: {k: round(v, 1) for k, v in one.items() if k == "quick" or name in slow}
            for name, one in old.items()
            if (root / name).exists()
        }
    )
    lines = [
        f"  {json.dumps(name)}: {json.dumps({'quick': t.quick, 'slow': t.slow, 'fifth': t.fifth})}"
        for name, t in table.items()
    ]
    (root / TIMES).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return table


def advance(root: Path = ROOT) -> Turn:
    """Write the next turn: what changes from the commit of the present one on counts as changed."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%H", "--", str(TURN)],
        cwd=root, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    turn = Turn(read_turn(root).number + 1, done.stdout.strip() or read_turn(root).since)
    (root / TURN).write_text(f"turn: {turn.number}\nsince: {turn.since}\n", encoding="utf-8")
    return turn


def main(words: list[str]) -> None:
    """The command."""
    if words == ["turn"]:
        print(f"turn {advance().number}; commit {TURN}")
    elif words == ["record"]:
        table = record().values()
        for fifth in range(FIFTHS):
            print(f"fifth {fifth}: {sum(t.slow for t in table if t.fifth == fifth):.0f} s")
        print(f"quick: {sum(t.quick for t in table):.0f} s; commit {TIMES}")
    elif not words:
        print("\n".join(present().lines()))
    else:
        raise SystemExit(f"found {' '.join(words)}; give turn, record or nothing")


if __name__ == "__main__":
    main(sys.argv[1:])
