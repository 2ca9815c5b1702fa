"""Search of a gallery's matrix: ours, plain numpy, faiss and usearch used directly, in one run.

    pip install -e '.[search]' usearch
    python benchmarks/search.py --rows 10000 100000 1000000 --output search.json

Data cluster by identity as faces' do: a centre for each person, drawn from a spectrum that falls
(`--spread`), and samples with noise of a length drawn for each sample; queries are further samples
of people that are there (`--strangers` of them: of people that are not). The contestants share the
matrix and take turns, in shuffled rounds; a time is over all calls of all rounds. Recall is against
the products of all rows in float64: of queries of people who are there, and of strangers, whose
nearest row is nobody's and hard to find. Memory is what the process took while the index was built,
and the matrix itself (`+`) where the index reads it; `mapped` reads only candidates' rows of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from search_contestants import CONTESTANTS, Contestant, wanted
from search_data import Data, make_data
from search_table import table

from faceport.benchmarks.machine.environment import versions
from faceport.benchmarks.machine.limits import measure_limits
from faceport.runtime.device import usable_cores

BATCH = 64


def main() -> None:
    """Run all sizes, print a table of each."""
    given = _arguments()
    result: dict[str, Any] = {"threads": usable_cores(), "versions": versions()}
    result |= {"arguments": {**vars(given), "output": str(given.output)}, "sizes": []}
    for rows in given.rows:
        _say(f"{rows:,} rows: data and the true nearest of {given.queries} queries")
        data = make_data(rows, given.dim, given.each, given.queries, given.strangers, given.spread)
        before = measure_limits(usable_cores())
        measured = _size(data, given)
        after = measure_limits(usable_cores())
        bandwidth = max(before.bytes_per_second, after.bytes_per_second)
        limits = {"bytes_per_second": bandwidth, "flops": max(before.flops, after.flops)}
        result["sizes"].append({"rows": rows, "limits": limits, "contestants": measured})
        sys.stdout.write(table(rows, given.dim, limits, measured))
        sys.stdout.flush()
    if given.output:
        given.output.write_text(json.dumps(result, indent=1) + "\n")


def _size(data: Data, given: argparse.Namespace) -> list[dict[str, Any]]:
    built = []
    for contestant in wanted(CONTESTANTS, given.only, len(data.matrix), given.graphs_to):
        _say(f"  building {contestant.name}")
        built.append(_Built(contestant, data))
    random = np.random.default_rng(1)
    for number in range(given.rounds):
        _say(f"  round {number + 1} of {given.rounds}")
        for place in random.permutation(len(built)):
            built[place].run(number, given.rounds, given.batches)
    return [one.figures() for one in built]


class _Built:
    """A contestant with its index, and the times it took."""

    def __init__(self, contestant: Contestant, data: Data) -> None:
        self._contestant, self._data = contestant, data
        before, start = _resident(), time.perf_counter()
        self._search = contestant.make(data.matrix)
        self._build = time.perf_counter() - start
        self._memory = max(0, _resident() - before)
        self._found = np.full(len(data.queries), -1, np.intp)
        self._times: list[float] = []
        self._batches: list[float] = []

    def run(self, number: int, rounds: int, batches: int) -> None:
        """Answer this round's part of the queries one by one, then some batches."""
        queries = self._data.queries
        self._search(queries[:1], 1)
        for i in range(number, len(queries), rounds):
            start = time.perf_counter()
            self._found[i] = self._search(queries[i : i + 1], 1)[0]
            self._times.append(time.perf_counter() - start)
        for i in range(batches):
            first = (i * BATCH) % max(1, len(queries) - BATCH)
            start = time.perf_counter()
            self._search(queries[first : first + BATCH], 1)
            self._batches.append(time.perf_counter() - start)

    def figures(self) -> dict[str, Any]:
        """Sum up."""
        times, data = np.array(self._times) * 1e3, self._data
        right = data.equal_scores(self._found)
        return {
            "name": self._contestant.name,
            "group": self._contestant.group,
            "matrix": self._contestant.matrix,
            "build_s": self._build,
            "memory_bytes": self._memory,
            "p50_ms": float(np.percentile(times, 50)),
            "p99_ms": float(np.percentile(times, 99)),
            "best_ms": float(times.min()),
            "batch_ms": float(np.median(self._batches) * 1e3),
            "batch_best_ms": float(np.min(self._batches) * 1e3),
            "recall": float(right[data.known].mean()),
            "recall_strangers": float(right[~data.known].mean()),
        }


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--each", type=int, default=5, help="samples of an identity")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--strangers", type=float, default=0.1, help="share of the queries")
    parser.add_argument("--spread", type=float, default=0.25, help="how fast the spectrum falls")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=3, help="of 64 queries, in each round")
    parser.add_argument("--graphs-to", type=int, default=100_000, help="rows up to which HNSW runs")
    parser.add_argument("--only", nargs="*", default=[], help="contestants whose name has this")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
