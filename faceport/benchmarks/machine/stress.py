"""The process that `limits` starts: `python -m faceport.benchmarks.machine.stress THREADS`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import numpy as np

from faceport.runtime.device import usable_memory

SIDE = 1024
"""Of the square matrices: three of them (12 MB) are near the caches, so that sums are the limit."""
BUDGET_S = 0.4
"""How long each of the two is tried."""
LEAST_ARRAY = 256 * 2**20
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def matrix_rate() -> float:
    """Return float32 operations a second; numpy's library has its threads already."""
    generator = np.random.default_rng(0)
    left = generator.random((SIDE, SIDE), dtype=np.float32)
    right = generator.random((SIDE, SIDE), dtype=np.float32)
    target = np.empty_like(left)
    return 2 * SIDE**3 / _best(lambda: np.matmul(left, right, out=target))


def read_rate(threads: int, size: int) -> float:
    """Return bytes a second that `threads` read from an array of `size` bytes."""
    parts = np.array_split(np.ones(size // 4, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        # A maximum is nothing but reading, and numpy lets other threads run meanwhile.
        return sum(part.nbytes for part in parts) / _best(lambda: list(pool.map(np.max, parts)))


def array_size() -> int:
    """Return bytes far beyond the caches: 8 times the last one, an eighth of memory at most."""
    size = max(LEAST_ARRAY, 8 * _largest_cache())
    memory = usable_memory()
    return min(size, memory // 8) if memory else size


def _largest_cache() -> int:
    sizes = [path.read_text().strip() for path in CACHES.glob("index*/size")]
    return max((int(s[:-1]) * 1024 for s in sizes if s.endswith("K")), default=0)


def _best(call: Callable[[], object]) -> float:
    call()
    best, end = float("inf"), time.perf_counter() + BUDGET_S
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    COUNT = int(sys.argv[1])
    FIGURES = {
        "threads": COUNT,
        "flops": matrix_rate(),
        "bytes_per_second": read_rate(COUNT, array_size()),
    }
    click.echo(json.dumps(FIGURES))
