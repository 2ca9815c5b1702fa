"""What a machine can do at most: its matrix products and its memory's bandwidth, measured.

No inference engine is involved. The figures are of float32: a graph in bf16 or int8 runs on units
that do two to four times as much, so its share of these limits may be above 1.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass

from faceport.benchmarks.fresh_process import command_of
from faceport.benchmarks.machine.macs import Work
from faceport.codec import decode
from faceport.errors import InputError, SessionError

THREAD_VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""How the libraries that numpy may be built on are told their threads: only before they load."""

MODULE = "faceport.benchmarks.machine.stress"
PATIENCE = 300
"""Seconds after which a process is given up."""


@dataclass(frozen=True)
class Limits:
    """What the machine did at best with some threads.

    Attributes:
        threads: that it had.
        flops: float32 operations a second of a matrix product; a multiply-accumulate is two.
        bytes_per_second: read from memory, over an array far larger than the caches.
    """

    threads: int
    flops: float
    bytes_per_second: float

    def least_seconds(self, work: Work) -> float:
        """Return the time below which this work can't be done: what takes longer, sums or bytes."""
        return max(2 * work.macs / self.flops, work.bytes / self.bytes_per_second)

    def share(self, work: Work, seconds: float) -> float:
        """Return which part of the limit a run reached: 1 is all that the machine can do."""
        return self.least_seconds(work) / seconds


def measure_limits(threads: int, tries: int = 3) -> Limits:
    """Measure in fresh processes, about a second each, and keep the best of each figure.

    Raises:
        InputError: less than one thread.
        SessionError: a process failed.
    """
    if threads < 1:
        raise InputError("threads", received=threads, expected="1 or more")
    found = [_measured(threads) for _ in range(tries)]
    return Limits(threads, max(f.flops for f in found), max(f.bytes_per_second for f in found))


def environment_for(threads: int) -> dict[str, str]:
    """Return the environment of a process whose matrix products are to have so many threads."""
    return {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}


def _measured(threads: int) -> Limits:
    try:
        done = subprocess.run(
            command_of(MODULE, str(threads)),
            capture_output=True,
            text=True,
            check=False,
            env=environment_for(threads),
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise SessionError(f"the machine's limits took longer than {PATIENCE} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise SessionError(f"the machine's limits could not be measured: {last}")
    return decode(Limits, json.loads(done.stdout))
