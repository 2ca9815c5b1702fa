"""`python -m faceport.benchmarks.throughput`: pictures a second, against what the cores allow.

The limit is cores ÷ CPU-seconds a picture, the latter measured with one thread and one picture at a
time. A run's share of it is `pictures × CPU-seconds ÷ (seconds × cores)`. Where other processes use
the machine too, a second figure leaves out what they took: `pictures × CPU-seconds ÷ (own
CPU-seconds + idle core-seconds)`; it is blind where they left no core idle. All ways are run in
turn, round after round.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import click

from faceport.codec import encode
from faceport.errors import FaceportError, InputError
from faceport.runtime.device import logical_cores, usable_cores
from faceport.runtime.pipeline import Pipeline, Result
from faceport.runtime.sessions import SessionOptions

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
STAT = Path("/proc/stat")

Way = Callable[[Sequence[Path]], Iterable[Result]]


@dataclass(frozen=True)
class Spent:
    """What one run took: seconds, own CPU-seconds, and core-seconds nobody used (None: unknown)."""

    wall: float
    cpu: float
    idle: float | None


@dataclass(frozen=True)
class Throughput:
    """One way to process the pictures; medians over the rounds.

    Attributes:
        way: its name.
        rate: pictures a second.
        cpu_ms: CPU time a picture.
        share: of the limit, 1.0 is all of it.
        share_of_free: the same, of what other processes left; None where that is unknown.
    """

    way: str
    rate: float
    cpu_ms: float
    share: float
    share_of_free: float | None


def measure(ways: dict[str, Way], photos: Sequence[Path], rounds: int) -> dict[str, list[Spent]]:
    """Run every way in turn, once to warm up and then `rounds` times."""
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            one = _timed(lambda way=way: _all(way(photos)))  # type: ignore[misc]
            if number:
                spent[name].append(one)
    return spent


def throughputs(
    spent: dict[str, list[Spent]], baseline: str, pictures: int, cores: int
) -> list[Throughput]:
    """Compare all ways with the limit that the baseline's CPU time sets."""
    least = statistics.median(one.cpu for one in spent[baseline])
    found = []
    for way, runs in spent.items():
        free = [least / (one.cpu + one.idle) for one in runs if one.idle is not None]
        found.append(
            Throughput(
                way,
                rate=statistics.median(pictures / one.wall for one in runs),
                cpu_ms=statistics.median(one.cpu for one in runs) / pictures * 1e3,
                share=statistics.median(least / (one.wall * cores) for one in runs),
                share_of_free=statistics.median(free) if free else None,
            )
        )
    return found


def _timed(run: Callable[[], None]) -> Spent:
    idle, cpu, wall = _idle(), time.process_time(), time.perf_counter()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = _idle()
    return Spent(wall, cpu, None if idle is None or after is None else after - idle)


def _all(results: Iterable[Result]) -> None:
    for result in results:
        if result.error is not None:
            raise result.error


def _idle() -> float | None:
    """Return the core-seconds that nobody used since the start; None where they are not ours."""
    if usable_cores() != logical_cores() or not STAT.is_file():
        return None
    # cpu user nice system idle iowait …, in ticks over all cores (proc_stat(5)).
    fields = STAT.read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def pictures_of(folder: Path, count: int) -> list[Path]:
    """Return `count` pictures: those of a folder and its folders, over and over.

    Raises:
        InputError: there are none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} has no pictures", expected=f"files {' '.join(SUFFIXES)}")
    return list(islice(cycle(found), count))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--detector", required=True, help="Detector bundle.")
@click.option("--embedder", required=True, help="Embedder bundle.")
@click.option("--backend", help="Of both.")
@click.option("--pictures", default=104, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--workers", type=click.IntRange(1), help="Most workers  [default: cores + 1].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    *,
    folder: Path,
    detector: str,
    embedder: str,
    backend: str | None,
    pictures: int,
    rounds: int,
    workers: int | None,
    as_json: bool,
) -> None:
    """Measure process_each and stream on a folder's pictures, decoding included."""
    load = partial(Pipeline.load, detector, embedder, backend=backend, detector_backend=backend)
    try:
        photos = pictures_of(folder, pictures)
        with ExitStack() as stack:
            one = stack.enter_context(load(options=SessionOptions(threads=1)))
            ways: dict[str, Way] = {"process_each, 1 thread": one.process_each}
            ways["process_each"] = stack.enter_context(load()).process_each
            for count in range(1, (workers or usable_cores() + 1) + 1):
                # One worker is loaded as for several: with one thread.
                many = one if count == 1 else stack.enter_context(load(workers=count))
                ways[f"stream, {count} workers"] = partial(many.stream, workers=count)
            spent = measure(ways, photos, rounds)
    except FaceportError as error:
        raise click.ClickException(str(error)) from error
    found = throughputs(spent, next(iter(ways)), len(photos), usable_cores())
    if as_json:
        click.echo(json.dumps([encode(way) for way in found], indent=2))
        return
    click.echo(
        f"{len(photos)} pictures, {usable_cores()} cores, limit {_limit(found):.1f} a second"
    )
    for way in found:
        free = "" if way.share_of_free is None else f" {way.share_of_free:6.2f} of what was free"
        speed = f"{way.rate:7.1f} pictures/s {way.cpu_ms:7.1f} ms CPU"
        click.echo(f"{way.way:24} {speed} {way.share:6.2f} of the limit{free}")


def _limit(found: Sequence[Throughput]) -> float:
    return usable_cores() / found[0].cpu_ms * 1e3


if __name__ == "__main__":
    sys.exit(main())
