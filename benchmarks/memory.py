"""Whether memory stays flat: resident memory of one process after 100, 1,000 and 10,000 pictures.

    python benchmarks/memory.py --detector det.bundle --embedder mbf.bundle photo.jpg other.jpg

The pictures are taken in turn, from their bytes, so that decoding is part of it; small ones let it
end within minutes. Exit code 1 if the last figure is more than `--slack` above the first.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import faceport

MARKS = (100, 1_000, 10_000)


def main() -> int:
    """Run, print one line of JSON a mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", required=True)
    parser.add_argument("--embedder", required=True)
    parser.add_argument("--pictures", type=int, default=MARKS[-1], help="how many to process")
    parser.add_argument("--side", type=int, default=0, help="scale pictures to this longest side")
    parser.add_argument("--slack", type=float, default=3.0, help="MB that are not growth")
    parser.add_argument("photos", nargs="+", type=Path)
    given = parser.parse_args()
    photos = [_bytes(path, given.side) for path in given.photos]
    marks = [mark for mark in MARKS if mark < given.pictures] + [given.pictures]
    resident: list[float] = []
    start, faces = time.monotonic(), 0
    with faceport.Pipeline.load(given.detector, given.embedder) as pipeline:
        sources = (photos[number % len(photos)] for number in range(given.pictures))
        for number, result in enumerate(pipeline.process_each(sources), start=1):
            faces += len(result.faces)
            if number in marks:
                resident.append(_resident_mb())
                line = {"pictures": number, "faces": faces, "resident_mb": round(resident[-1], 1)}
                line["seconds"] = round(time.monotonic() - start, 1)
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    return int(resident[-1] > resident[0] + given.slack)


def _bytes(path: Path, side: int) -> bytes:
    if not side:
        return path.read_bytes()
    import io

    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(path) as picture:
        picture.thumbnail((side, side))
        picture.convert("RGB").save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("/proc/self/status does not tell VmRSS: this runs on Linux only")


if __name__ == "__main__":
    sys.exit(main())
