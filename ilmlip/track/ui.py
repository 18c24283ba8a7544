"""MLflow's own page on a study's runs: its server, as long as we live."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ilmlip.errors import SpecError
from ilmlip.track import environment

HOST = "127.0.0.1"
SQLITE = "sqlite:///"
PATIENCE = 120.0
"""Seconds for the server to answer."""
GRACE = 5.0
"""Seconds that it has to end by itself."""


def serve(uri: str, port: int, tell: Callable[[str], None]) -> int:
    """Run MLflow's server on a database until it ends or we are stopped; its exit status.

    `tell` is called with the address once it answers. Raises SpecError if there is no database, or
    if the port is taken.
    """
    if not uri.startswith(SQLITE):
        raise SpecError("tracking.uri", f"{uri!r} is no database of a local file")
    database = Path(uri.removeprefix(SQLITE)).absolute()
    if not database.is_file():
        raise SpecError(
            f"tracking.uri: no database at {database}",
            "`ilmlip run` of a study makes it, where it is started: change to that folder",
        )
    _refuse_taken(port)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri"]
    command += [f"{SQLITE}{database}", "--host", HOST, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(
        command,
        cwd=database.parent,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if _answers(server, port):
            tell(f"http://{HOST}:{port}")
        return server.wait()
    finally:
        _end(server)


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise SpecError(
                f"command line: --port {port}", "another program listens there; give another port"
            ) from None


def _answers(server: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5).close()
            return True
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.2)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server with its workers, which would outlive it."""
    for sign, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(wait)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
