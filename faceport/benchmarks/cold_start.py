"""What a fresh process pays: imports, and the way to the first embedding."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from faceport.errors import SessionError

FIRST_EMBEDDING = """
import sys, time
start = time.perf_counter()
import json
import faceport
pipeline = faceport.Pipeline.load(sys.argv[1], sys.argv[2])
faces = pipeline(sys.argv[3])
seconds = time.perf_counter() - start
# Not ru_maxrss: a process begins with the peak of the one that started it.
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
peak = int(status["VmHWM"].split()[0])
print(json.dumps({"seconds": seconds, "faces": len(faces), "peak_kib": peak}))
"""


@dataclass(frozen=True)
class ImportTimes:
    """Median wall time of a whole process, milliseconds."""

    numpy_ms: float
    runtime_ms: float

    @property
    def limit_ms(self) -> float:
        """The goal: 1.5 × numpy's + 30 ms."""
        return 1.5 * self.numpy_ms + 30


@dataclass(frozen=True)
class FirstEmbedding:
    """Fresh process: import, load two models, read and embed a picture (medians).

    Attributes:
        process_ms: wall time of the whole process, interpreter start included.
        inside_ms: from the first line of the script.
        peak_mb: peak resident memory, 10^6 bytes (Linux).
        faces: in the picture.
    """

    process_ms: float
    inside_ms: float
    peak_mb: float
    faces: int


def measure_imports(rounds: int = 15) -> ImportTimes:
    """Time `import numpy` and `import faceport.runtime` in fresh processes, taken in turn."""
    commands = {"numpy": "import numpy", "runtime": "import faceport.runtime"}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, code in commands.items():
            times[name].append(_timed([sys.executable, "-c", code])[0])
    # The first round reads from the disk what the others find in memory.
    numpy_ms, runtime_ms = (statistics.median(kept[1:]) for kept in times.values())
    return ImportTimes(numpy_ms, runtime_ms)


def measure_first_embedding(
    detector: Path, embedder: Path, photo: Path, rounds: int = 7
) -> FirstEmbedding:
    """Time a fresh process from its start to the embeddings of one picture, and its memory.

    Raises:
        SessionError: the process failed.
    """
    command = [sys.executable, "-c", FIRST_EMBEDDING, str(detector), str(embedder), str(photo)]
    runs = [_timed(command) for _ in range(rounds)]
    figures = [json.loads(output) for _, output in runs]
    return FirstEmbedding(
        process_ms=statistics.median(wall for wall, _ in runs),
        inside_ms=statistics.median(f["seconds"] for f in figures) * 1e3,
        peak_mb=statistics.median(f["peak_kib"] for f in figures) * 1024 / 1e6,
        faces=figures[0]["faces"],
    )


def _timed(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wall = (time.perf_counter() - start) * 1e3
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SessionError(f"a measuring process failed: {last}")
    return wall, done.stdout
