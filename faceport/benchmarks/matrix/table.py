"""The matrix as Markdown."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from datetime import datetime, timezone

from faceport.benchmarks.machine.environment import describe_machine
from faceport.benchmarks.matrix.rows import SEEDED_TOLERANCE, Row
from faceport.bundle import Parity
from faceport.runtime.parity import TOLERANCES
from faceport.version import __version__

PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "tensorrt", "tensorrt-rtx-cu13")
HEADER = (
    "model",
    "weights",
    "format",
    "precision",
    "MB",
    "of fp32",
    "drawn: min cosine",
    "max abs diff",
    "faces: min cosine",
    "mean",
    "remark",
)


def table(rows: Sequence[Row], seconds: float) -> str:
    """Return the document.

    Args:
        rows: in the order to print.
        seconds: that filling them took.
    """
    lines = [
        "# Family × format × precision",
        "",
        "Written by `make matrix`; do not edit. Parity is against the checkpoint (of imported ONNX",
        "files against the file): on the drawn pictures that travel in each bundle, and, for fp16",
        "and int8, on real faces kept out of the calibration. The worse of batch 1 and 5.",
        "",
        f"- Run on {_machine()}, {datetime.now(timezone.utc):%Y-%m-%d}, in {seconds:.0f} s.",
        f"- faceport {__version__}, {_versions()}.",
        f"- ONNX files ran in onnxruntime's CPU provider, {_cuda()}.",
        *(f"- {name}: {_tolerance(name)}." for name in TOLERANCES),
        f"- Seeded weights tell no faces apart; their fp16 and int8 are held to cosine "
        f"{SEEDED_TOLERANCE:g}.",
        "",
        _line(HEADER),
        _line(["---"] * len(HEADER)),
    ]
    sizes = {(r.model, r.format): r.size_bytes for r in rows if r.precision == "fp32"}
    lines += [_line(_cells(row, sizes)) for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row, sizes: dict[tuple[str, str], int]) -> list[str]:
    base = sizes.get((row.model, row.format), 0)
    share = f"{row.size_bytes / base:.2f}" if base and row.size_bytes else ""
    return [
        row.model,
        row.weights,
        row.format,
        row.precision,
        f"{row.size_bytes / 1e6:.1f}" if row.size_bytes else "",
        share,
        _cosine(row.parity),
        f"{max(p.max_abs_diff for p in row.parity):.1e}" if row.parity else "",
        _cosine(row.faces),
        _mean(row.faces),
        row.problem,
    ]


def _cosine(figures: tuple[Parity, ...]) -> str:
    return f"{min(p.min_cosine for p in figures):.6f}" if figures else ""


def _mean(figures: tuple[Parity, ...]) -> str:
    means = [p.mean_cosine for p in figures if p.mean_cosine is not None]
    return f"{min(means):.6f}" if means else ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _tolerance(name: str) -> str:
    tolerance = TOLERANCES[name]
    text = f"cosine ≥ {tolerance.min_cosine:g}, max abs diff ≤ {tolerance.max_abs_diff:g}"
    mean = tolerance.min_mean_cosine
    return text if mean is None else f"{text}, mean cosine ≥ {mean:g}"


def _machine() -> str:
    machine = describe_machine()
    return f"{machine.system} {machine.architecture}, {machine.cores} × {machine.cpu}"


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def _cuda() -> str:
    import torch

    return "and this machine has a GPU" if torch.cuda.is_available() else "without a GPU"
