"""A Slurm of this machine's own, started once for all tests here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import one_node
import pytest


@pytest.fixture(scope="session")
def cluster_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    one_node.require()
    folder = Path(tmp_path_factory.mktemp("slurm"))
    with one_node.slurm(folder, cores=6) as mine:
        before = {name: os.environ.get(name) for name in mine}
        os.environ.update(mine)
        yield
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
