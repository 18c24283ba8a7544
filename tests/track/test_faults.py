"""MLflow away, slow, locked, or its tracker killed: afterwards every run is there once, complete.

Each fault meets a real process; what MLflow holds in the end is compared with what undisturbed
logging of the same store leaves.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import PATIENCE
from tracked import Study, content, make, other, tracker

from ilmlip.track import QUIET, pending, runs

pytestmark = [pytest.mark.engine, pytest.mark.slow]
KILLS = 20
HALF = 50
"""Events of a run that has about twice as many."""
MODELS = 12
"""Seconds for a tracker to end, on a machine that does other things."""


def fill(study: Study) -> None:
    """Trainings with curves, their evaluations and packages, sampling runs and dynamics."""
    study.fill()
    for seed in range(10, 10 + MODELS):
        about = {"training": "0.4", "seed": seed, "kind": "nequip", "r_max": 5.0}
        rows = "".join(f"{10 * i},{i},{2.5 / i},{400 / i}\n" for i in range(1, 60))
        train = make("train", about, {"dataset": ("dataset-k1-00",)})
        curve = f"step,epoch,train_loss,val_force_mae\n{rows}"
        study.publish(train, {"steps": 590, "val_force_mae": 6.0}, {"curve.csv": curve})
        for x in ("0.0", "0.4", "1.0"):
            tested = make("evaluate", {**about, "composition": x, "model": train.key})
            study.publish(tested, {"energy_mae": seed + float(x), "n_frames": 5}, {})
        packed = make("package", {**about, "model": train.key}, {"model": (train.key,)})
        if seed % 4 == 0:
            study.publish(packed, {"elements": ["Li"]}, {"model.nequip.zip": "a package"})
        md = make("md", {**about, "composition": "0.4", "T": 300.0, "replica": 0})
        study.events.began(md)
        table = "step,temperature_K,density_g_cm3\n" + "".join(
            f"{i},{300 + i},1.4\n" for i in range(60)
        )
        study.publish(md, {"stable": True}, {"thermo.csv": table})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with the store of a run, and what undisturbed logging leaves of it."""
    study = Study(Path(tmp_path_factory.mktemp("whole")))
    study.begin()
    fill(study)
    study.end()
    one = tracker(study.store.root, study.uri, study.root)
    one.join(PATIENCE)
    assert one.exitcode == 0
    found = content(study.uri)
    assert len(found) == 4 + 2 * MODELS
    return study.root, found


@pytest.fixture
def folder(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of that store of which nothing was logged yet; its events come again by `play`."""
    shutil.copytree(whole[0] / "store", tmp_path / "store")
    (run,) = runs(tmp_path / "store")
    (run / "logged.json").unlink()
    return tmp_path


@contextlib.contextmanager
def played(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A driver, a process of its own, that says the run's events: HALF of them, and the rest once
    there is a file `go`.
    """
    (run,) = runs(folder / "store")
    (run / "events.jsonl").rename(folder / "all.jsonl")
    code = (
        "import os, sys, time\nfrom pathlib import Path\n"
        "lines = Path(sys.argv[1]).read_text().splitlines(keepends=True)\n"
        "run, half, go = Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])\n"
        "(run / 'driver.pid').write_text(f'{os.getpid()}\\n')\n"
        "for i, line in enumerate(lines):\n"
        "    while i == half and not go.exists():\n"
        "        time.sleep(0.1)\n"
        "    with (run / 'events.jsonl').open('a') as out:\n"
        "        out.write(line)\n"
        "    time.sleep(0.02)\n"
    )
    words = [sys.executable, "-c", code, str(folder / "all.jsonl"), str(run), str(HALF)]
    words.append(str(folder / "go"))
    driver = subprocess.Popen(words)
    until = time.monotonic() + PATIENCE
    while not (run / "events.jsonl").exists():
        assert time.monotonic() < until and driver.poll() is None
        time.sleep(0.05)
    try:
        yield driver
    finally:
        driver.kill()
        driver.wait()


@contextlib.contextmanager
def server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real `mlflow server` on a database and a folder of artefacts."""
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--workers", "1"]
    words += ["--artifacts-destination", str(folder / "artefacts")]
    process = subprocess.Popen(
        words, cwd=folder, env={**os.environ, **QUIET}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.2)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def position(folder: Path) -> int:
    """Events that the tracker has noted as logged."""
    import json

    (run,) = runs(folder / "store")
    with contextlib.suppress(FileNotFoundError):
        at = json.loads((run / "logged.json").read_text(encoding="utf-8"))["position"]
        return (run / "events.jsonl").read_bytes()[:at].count(b"\n")
    return 0


def wait_for(folder: Path, events: int) -> None:
    until = time.monotonic() + PATIENCE
    while position(folder) < events:
        assert time.monotonic() < until
        time.sleep(0.05)


def track(folder: Path, uri: str) -> int | None:
    one = tracker(folder / "store", uri, folder)
    one.join(PATIENCE)
    return one.exitcode


def test_a_tracker_killed_at_random_moments(
    folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    """SIGKILL, again and again while it logs; each goes on where the last one was."""
    chance = random.Random(7)
    uri = f"sqlite:///{folder}/mlflow.db"
    moments = []
    for _ in range(KILLS):
        begun = position(folder)
        one = tracker(folder / "store", uri, folder)
        if chance.random() < 0.8:  # while it logs; else at its start
            until, some = time.monotonic() + PATIENCE, begun + chance.randint(1, 3)
            while position(folder) < some and one.is_alive():
                assert time.monotonic() < until
                time.sleep(0.001)
        one.join(chance.uniform(0, 0.05))  # an event takes a few hundredths of a second
        one.kill()
        one.join()
        assert one.exitcode == -signal.SIGKILL, "it had nothing left to log"
        moments.append(position(folder))
    assert len(set(moments)) > KILLS / 2
    assert track(folder, uri) == 0
    assert other(content(uri), whole[1]) == []
    assert pending(folder / "store") == 0


def test_a_server_that_dies_and_comes_back(
    folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    """Killed in the middle of a run and started again: the same tracker goes on."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with played(folder) as driver:
        with server(folder, port):
            one = tracker(folder / "store", uri, folder)
            wait_for(folder, 10)
        away = position(folder)
        time.sleep(8)
        assert position(folder) <= away + 1 < HALF and one.is_alive()
        with server(folder, port):
            (folder / "go").touch()
            one.join(PATIENCE)
            assert one.exitcode == 0 and driver.wait() == 0
            assert other(content(uri), whole[1]) == []


def test_a_server_that_is_gone_at_the_end(folder: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    """What is left waits in the store; the next tracker logs it."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with server(folder, port):
        one = tracker(folder / "store", uri, folder)
        wait_for(folder, 10)
    one.join(PATIENCE)
    assert one.exitcode == 1 and pending(folder / "store") == 1
    with server(folder, port):
        assert track(folder, uri) == 0
        assert other(content(uri), whole[1]) == []


def test_a_server_that_stops_for_a_while(folder: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    """SIGSTOP for longer than the client's patience: calls come twice, runs and points do not."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with server(folder, port) as process, played(folder):
        one = tracker(folder / "store", uri, folder)
        for events, seconds in ((1, 25), (12, 25), (40, 5)):
            wait_for(folder, events)
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGCONT)
        (folder / "go").touch()
        one.join(PATIENCE)
        assert one.exitcode == 0
        assert other(content(uri), whole[1]) == []


class Proxy:
    """Between client and server: answers come late, and some never: the line is cut before them."""

    def __init__(self, to: int, delay: float, cut: float) -> None:
        self.to, self.delay, self.cut = to, delay, cut
        self.chance = random.Random(3)
        self.calls = self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        """The server has done what was asked when its answer gets here."""
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                self.calls += 1
                time.sleep(self.chance.uniform(0, 2 * self.delay))
                if self.chance.random() < self.cut:
                    self.cuts += 1
                    break
                client.sendall(data)
        for end in (client, server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def test_a_slow_line_that_is_cut(folder: Path, whole: tuple[Path, dict[str, Any]]) -> None:
    """Every twentieth answer is lost after the server did what was asked: it is asked again."""
    port = free_port()
    with server(folder, port):
        proxy = Proxy(port, delay=0.02, cut=0.05)
        uri = f"http://127.0.0.1:{proxy.port}"
        for _ in range(80):  # each cut may end one of them, and there are more than 20
            if track(folder, uri) == 0:
                break
        assert pending(folder / "store") == 0
        assert proxy.cuts >= 10, (proxy.calls, proxy.cuts)
        assert other(content(f"http://127.0.0.1:{port}"), whole[1]) == []


def test_a_database_that_another_process_locks(
    folder: Path, whole: tuple[Path, dict[str, Any]]
) -> None:
    """Longer than SQLite's patience, in the middle of a run; and again at the end."""
    uri = f"sqlite:///{folder}/mlflow.db"
    with played(folder) as driver:
        one = tracker(folder / "store", uri, folder)
        wait_for(folder, 10)
        with locked(folder / "mlflow.db"):
            before = position(folder)
            time.sleep(30)
            assert position(folder) <= before + 1 < HALF and one.is_alive()
        (folder / "go").touch()
        one.join(PATIENCE)
        assert one.exitcode == 0 and driver.wait() == 0
    assert other(content(uri), whole[1]) == []
    (run,) = runs(folder / "store")
    (run / "logged.json").unlink()
    (folder / "mlflow.db").rename(folder / "old.db")
    one = tracker(folder / "store", uri, folder)
    wait_for(folder, 10)
    with locked(folder / "mlflow.db"):
        one.join(PATIENCE)
    assert one.exitcode == 1 and pending(folder / "store") == 1
    assert track(folder, uri) == 0
    assert other(content(uri), whole[1]) == []


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process writes and does not come to an end."""
    other = sqlite3.connect(database, isolation_level=None, timeout=60)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
