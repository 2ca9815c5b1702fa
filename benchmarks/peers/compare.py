"""faceport against its peers, on the same files, the same picture and the CPU (`make peers`).

Every contestant runs in fresh processes, in turn: ours, theirs, ours, … A figure is the median over
its processes; a whole-pipeline time is first the median of the calls inside one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from agreement import agreement
from contestants import Contestant, contestants, run
from prepare import REQUIREMENTS, make_files, peers_python
from table import tables

Reports = dict[str, list[dict[str, Any]]]


def main() -> None:
    """Compare, print the tables, write the JSON."""
    given = _arguments()
    _say("the peers' environment")
    peers = peers_python(given.venv)
    with tempfile.TemporaryDirectory() as folder:
        _say("exporting the models")
        files = make_files(given.checkpoint, given.detector, given.yunet, Path(folder))
        all_of_them = contestants(files, peers)
        warm = _rounds(all_of_them, given.photo, given.rounds, cold=False, calls=given.calls)
        starters = [one for one in all_of_them if one.cold]
        cold = _rounds(starters, given.one_face, given.cold_rounds, cold=True, calls=0)
        rows = [_row(one, warm[one.name], cold.get(one.name, [])) for one in all_of_them]
        agreed = agreement(rows, files.embedder, given.photo)
    for row in rows:
        del row["faces"]
    result = {"environment": _environment(given), "rows": rows, "agreement": agreed}
    sys.stdout.write(tables(result))
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(result, indent=2) + "\n")
        _say(f"wrote {given.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="recogniser, 112×112 RGB")
    parser.add_argument("--detector", type=Path, required=True, help="SCRFD, ONNX, 640×640")
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet, ONNX, dynamic size")
    parser.add_argument("--photo", type=Path, required=True, help="with several faces")
    parser.add_argument("--one-face", type=Path, required=True, help="for the cold start")
    parser.add_argument("--venv", type=Path, default=Path(".venv-peers"))
    parser.add_argument("--rounds", type=int, default=5, help="processes a contestant")
    parser.add_argument("--calls", type=int, default=30, help="calls a process")
    parser.add_argument("--cold-rounds", type=int, default=11, help="cold starts a contestant")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    return parser.parse_args()


def _rounds(some: list[Contestant], photo: Path, rounds: int, *, cold: bool, calls: int) -> Reports:
    reports: Reports = {one.name: [] for one in some}
    for number in range(rounds):
        _say(f"{'cold' if cold else 'warm'} round {number + 1} of {rounds}")
        for one in some:
            reports[one.name].append(run(one, photo, cold=cold, calls=calls))
    return reports


def _row(one: Contestant, warm: list[dict[str, Any]], cold: list[dict[str, Any]]) -> dict[str, Any]:
    figures = {k: median(r["figures"][k] for r in warm) for k in warm[0]["figures"]}
    # The first picture of a warm process is another one: cold figures are the cold processes' own.
    for name in ("load_ms", "cold_ms", "cold_peak_mb", "process_ms"):
        figures.pop(name, None)
    if cold:
        figures |= {k: median(r["figures"][k] for r in cold) for k in cold[0]["figures"]}
    return {
        "name": one.name,
        "against": one.against,
        "figures": figures,
        "notes": warm[0]["notes"],
        "faces": warm[0]["faces"],
    }


def _environment(given: argparse.Namespace) -> dict[str, Any]:
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "peers": [line for line in REQUIREMENTS.read_text().split() if "==" in line],
        "photo": given.photo.name,
        "one_face": given.one_face.name,
    }


def _say(step: str) -> None:
    sys.stderr.write(f"{step} ...\n")


if __name__ == "__main__":
    main()
