"""What a gallery's key and its audit log cost, with and without a key, in turn.

    python benchmarks/encryption.py [--identities 10000] [--rounds 3] [--cpu]

Each identity has one sample of 512 numbers. The gallery is made anew in a temporary folder. Times
are medians in milliseconds, with --cpu of CPU time, which other programs change less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faceport.gallery import Gallery
from faceport.gallery.stores import open_store
from faceport.gallery.stores.base import NewSample
from faceport.gallery.types import Sample, Space
from faceport.runtime.types import Embedding

DIM = 512
KEY = bytes(range(32))
Clock = Callable[[], float]
SPACE = Space("f" * 64, DIM, False)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", action="store_true", help="CPU time, not time")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    drawn = np.random.default_rng(1).normal(size=(options.identities, DIM)).astype(np.float32)
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        places = {"plain": (Path(folder) / "plain.db", None), "key": (Path(folder) / "k.db", KEY)}
        times: dict[tuple[str, str], list[float]] = {}
        for name, (path, key) in places.items():
            times["fill", name] = [_timed(lambda p=path, k=key: _fill(p, k, vectors), clock)]
        for number in range(options.rounds):
            for name, (path, key) in places.items():
                for what, seconds in _round(path, key, vectors, number, clock).items():
                    times.setdefault((what, name), []).append(seconds)
        sizes = {name: path.stat().st_size / 1e6 for name, (path, _) in places.items()}
    out = sys.stdout.write
    out(f"{options.identities} identities, medians of {options.rounds} rounds\n")
    out("| what | plain, ms | with a key, ms | ratio |\n|---|---|---|---|\n")
    for what in dict.fromkeys(what for what, _ in times):
        plain, sealed = (statistics.median(times[what, name]) * 1e3 for name in places)
        out(f"| {what} | {plain:.1f} | {sealed:.1f} | {sealed / plain:.2f} |\n")
    out(f"| size, MB | {sizes['plain']:.1f} | {sizes['key']:.1f} | ")
    out(f"{sizes['key'] / sizes['plain']:.2f} |\n")


def _fill(path: Path, key: bytes | None, vectors: np.ndarray) -> None:
    store = open_store(path, key=key)
    now = "2026-01-01T00:00:00+00:00"
    with store.transaction() as writer:
        writer.set_space(SPACE)
        for number, vector in enumerate(vectors):
            owner = writer.add_identity(f"person {number}", "{}", now)
            source, digest = f"people/{number}.jpg", f"{number:064x}"
            writer.add_samples(owner, [NewSample(vector, 20.0, source, digest, now)])
            writer.set_template(owner, vector, 1.0)
    store.close()


def _round(
    path: Path, key: bytes | None, vectors: np.ndarray, number: int, clock: Clock
) -> dict[str, float]:
    query = Embedding(vectors[7], 20.0, SPACE.fingerprint, "cpu", False)
    times = {}
    start = clock()
    with Gallery.open(path, key=key, index="exact") as gallery:
        gallery.search([query])
        times["open, load and first search"] = clock() - start
        times["search"] = statistics.median(
            _timed(lambda: gallery.search([query]), clock) for _ in range(20)
        )
        gallery.change_settings(audit=True)
        times["search, written down"] = statistics.median(
            _timed(lambda: gallery.search([query]), clock) for _ in range(20)
        )
        gallery.change_settings(audit=False)
        faces = [_fresh(1000 * number + i) for i in range(20)]
        times["enroll one"] = statistics.median(
            _timed(lambda f=face: gallery.enroll("new", [f]), clock) for face in faces
        )
        gallery.delete("new")
    return times


def _fresh(seed: int) -> Sample:
    drawn = np.random.default_rng(seed).normal(size=DIM).astype(np.float32)
    return Sample(
        Embedding(drawn / np.linalg.norm(drawn), 20.0, SPACE.fingerprint, "cpu", False), "new.jpg"
    )


def _timed(do: Callable[[], object], clock: Clock) -> float:
    start = clock()
    do()
    return clock() - start


if __name__ == "__main__":
    main()
