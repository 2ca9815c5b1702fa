"""What every worker shares: times, peak memory, one line of JSON. Standard library only.

A worker is one process for one contestant. Cold: it times its own imports, loading and first
picture. Warm: it then takes its calls in turn, so that a busy spell slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

WARM_UP = 5

Face = Mapping[str, list[float]]
"""`box` (x1 y1 x2 y2) and `landmarks` (5 times x y) in pixels of the picture, `vector`."""


def arguments() -> argparse.Namespace:
    """Return what the driver passed: files, whether to stop after the first picture, rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--detector", required=True)
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--photo", required=True)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--option", action="append", default=[])
    return parser.parse_args()


def medians_in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each call's median time in milliseconds."""
    from statistics import median

    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(WARM_UP + rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(kept) for name, kept in times.items()}


def peak_mb() -> float:
    """Return the peak resident memory of this process, 10^6 bytes (Linux)."""
    # Not ru_maxrss: a process begins with the peak of the one that started it.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("/proc/self/status does not tell VmHWM: this runs on Linux only")


def peak_after(call: Callable[[], object]) -> float:
    """Return the peak after 10 more pictures, before anything is set up for bare runs."""
    for _ in range(10):
        call()
    return peak_mb()


def report(figures: Mapping[str, float], faces: Sequence[Face] = (), **notes: object) -> None:
    """Write the one line that the driver reads."""
    line = {"figures": figures, "faces": faces, "notes": notes}
    sys.stdout.write(json.dumps(line) + "\n")
