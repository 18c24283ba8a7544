"""Every command that the documentation shows is run: what the README says must work."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from command import SMOKE, Smoke, ilmlip, in_process

from ilmlip.spec.load import load_study

ROOT = Path(__file__).parents[1]
READING = ("plan", "lint", "diff", "describe", "check-ion")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Lines of indented or fenced blocks that call ilmlip, without their comments and prompts."""
    found = []
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            match = re.match(r"(?:    |\$ )+\s*(?:\$ )?(ilmlip .*)", line)
            if match and "SPEC" not in match.group(1):
                found.append(match.group(1).split("  #")[0].strip())
    return sorted(set(found))


def ion_files(folder: Path) -> list[Path]:
    """Write the ions' data files that the pages show; each starts with its name."""
    found = []
    for text in re.findall(
        r"```yml\n(.*?)```", "\n".join(p.read_text(encoding="utf-8") for p in PAGES), re.S
    ):
        found.append(folder / text.splitlines()[0].removeprefix("# "))
        found[-1].write_text(text, encoding="utf-8")
    return found


NEED_A_STORE = ("run", "status", "cancel", "report", "verify", "du", "fsck", "gc", "track")


def test_the_readme_opens_with_the_two_commands() -> None:
    top = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:6]
    text = "\n".join(top)
    assert "make demo" in text and "make test" in text
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\ndemo: env" in targets and "\ntest: env" in targets


def test_there_are_commands_to_test() -> None:
    assert len([c for c in commands() if c.startswith("ilmlip plan")]) >= 4
    assert any(c.startswith("ilmlip run") for c in commands())


@pytest.mark.engine
@pytest.mark.parametrize("command", commands())
def test_shown_command(command: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Plans and messages as they stand; runs at smoke scale on a copy of a finished store."""
    (tmp_path / "experiments").mkdir()
    shutil.copyfile(
        ROOT / "experiments" / "quickstart.yaml", tmp_path / "experiments" / "quickstart.yaml"
    )
    ion_files(tmp_path)
    words = shlex.split(command)[1:]
    if words[0] in NEED_A_STORE and "model.rmax=6" not in words:
        smoke: Smoke = request.getfixturevalue("smoke")
        smoke.copy_store(tmp_path)
    if "shared.yaml" in words and words[0] != "freeze":
        frozen = ilmlip("freeze", *SMOKE, "tracking=none", "-o", "shared.yaml", cwd=tmp_path)
        assert frozen.code == 0, frozen.err
    elif words[0] == "run" and "model.rmax=6" not in words:
        words += [w for w in (*SMOKE[1:], "tracking=none") if w not in words]
    answer = (in_process if words[0] in READING else ilmlip)(*words, cwd=tmp_path)
    if "model.rmax=6" in words:
        assert answer.code == 2
        assert "unknown key 'rmax'; did you mean 'r_max'? valid keys:" in answer.err
    else:
        assert answer.code == 0, answer.err
        assert "[energy-span]" in answer.out or "~lint" not in words


def test_shown_specs_are_valid(tmp_path: Path) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = re.findall(r"```yaml\n(.*?)```", pages, re.S)
    assert len(shown) >= 3 and len(ion_files(tmp_path)) == 2
    for text in shown:
        assert yaml.safe_load(text)["name"]
        (tmp_path / "shown.yaml").write_text(text, encoding="utf-8")
        assert load_study([str(tmp_path / "shown.yaml")]).points


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
