"""Who takes part, and one process of one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prepare import HERE, Files


@dataclass(frozen=True)
class Contestant:
    """One row of the table.

    Attributes:
        name: as printed.
        python: interpreter of its environment.
        worker: script beside this one.
        detector: what its worker takes.
        embedder: what its worker takes.
        options: for the worker.
        against: the row of faceport's that it is compared with.
        cold: whether it takes part in the cold start.
    """

    name: str
    python: Path
    worker: str
    detector: Path
    embedder: Path
    options: tuple[str, ...] = ()
    against: str = "faceport"
    cold: bool = True


def contestants(files: Files, peers: Path) -> list[Contestant]:
    """Return all rows, in the order in which a round takes them."""
    ours = Path(sys.executable)
    face, bare = "worker_insightface.py", files.plain / "embedder.onnx"
    scrfd = files.same / "detector.onnx"
    with_yunet = "faceport, YuNet"
    return [
        Contestant("faceport", ours, "worker_faceport.py", files.detector, files.embedder),
        Contestant("insightface", peers, face, files.same, files.same),
        Contestant(
            "insightface, threads put to sleep", peers, face, files.same, files.same,
            ("no-spinning",), cold=False,
        ),
        Contestant("insightface, unmodified export", peers, face, files.plain, files.plain),
        Contestant(
            with_yunet, ours, "worker_faceport.py", files.yunet, files.embedder,
            against=with_yunet,
        ),
        Contestant(
            "OpenCV: YuNet + cv2.dnn, unmodified export", peers, "worker_opencv.py",
            files.yunet_onnx, bare, against=with_yunet,
        ),
        Contestant(
            "cv2.dnn, bare runs, unmodified export", peers, "worker_opencv.py",
            scrfd, bare, ("bare",), cold=False,
        ),
        Contestant(
            "cv2.dnn, bare runs, same files", peers, "worker_opencv.py",
            scrfd, files.same / "embedder.onnx", ("bare",), cold=False,
        ),
    ]  # fmt: skip


def run(one: Contestant, photo: Path, *, cold: bool, calls: int) -> dict[str, Any]:
    """Run one process; return what its worker reports, and its whole wall time.

    Raises:
        SystemExit: the process failed.
    """
    command = [str(one.python), str(HERE / one.worker), "--photo", str(photo)]
    command += ["--detector", str(one.detector), "--embedder", str(one.embedder)]
    command += ["--rounds", str(calls)] + (["--cold"] if cold else [])
    for option in one.options:
        command += ["--option", option]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = (time.perf_counter() - start) * 1e3
    if done.returncode != 0:
        raise SystemExit(f"{one.name} failed:\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    report["figures"]["process_ms"] = wall
    return report
