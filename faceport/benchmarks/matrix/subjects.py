"""The models that the matrix is filled with: real weights, and seeded ones of other layouts."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faceport.errors import InputError

Weights = Literal["real", "seeded"]
Detector = Literal["scrfd", "yunet", "yolov8-face"]

CHECKPOINTS = (
    "mobilefacenet_flat_112x112_512d.pth",
    "mobilefacenet_blocks_112x96_128d.ckpt",
    "mobilefacenet_model_best.pth.tar",
)
DETECTORS: dict[str, Detector] = {
    "scrfd_500m_kps.onnx": "scrfd",
    "yunet_n_dynamic.onnx": "yunet",
    "yolov8_lite_t_face.onnx": "yolov8-face",
}
THERE_AS_REAL = ("mobilefacenet_flat_512", "mobilefacenet_blocks_128")
SMALL = 20_000_000
"""Bytes of a checkpoint up to which engines are built of it too: each takes a while."""


@dataclass(frozen=True)
class Subject:
    """One model.

    Attributes:
        name: of its file or layout.
        path: of its file.
        weights: seeded ones tell no faces apart, and their cosines are of no use as accuracy.
        engines: whether engines are built of it.
        detector_family: of an ONNX file that is imported; None for a checkpoint.
    """

    name: str
    path: Path
    weights: Weights
    engines: bool = False
    detector_family: Detector | None = None


def subjects(shared: Path, folder: Path, only: tuple[str, ...] = ()) -> Iterator[Subject]:
    """Give what is at hand.

    Args:
        shared: with `assets/weights` and `reference/layouts`.
        folder: seeded checkpoints are written there, as they are asked for.
        only: names to give; empty for all.
    """

    def wanted(name: str) -> bool:
        return not only or name in only

    weights = shared / "assets" / "weights"
    for file in filter(wanted, CHECKPOINTS):
        path = weights / file
        yield Subject(file, path, "real", engines=path.stat().st_size < SMALL)
    # A real checkpoint of the same layout says more than a seeded one.
    for layout in sorted((shared / "reference" / "layouts").glob("*.json")):
        if layout.stem not in THERE_AS_REAL and wanted(layout.stem):
            path = _seeded(shared / "reference" / "synth_checkpoint.py", layout, folder)
            yield Subject(layout.stem, path, "seeded", engines=path.stat().st_size < SMALL)
    for file, family in DETECTORS.items():
        if not wanted(file):
            continue
        yield Subject(file, weights / file, "real", detector_family=family)


def _seeded(script: Path, layout: Path, folder: Path) -> Path:
    import torch

    found = importlib.util.spec_from_file_location(script.stem, script)
    if found is None or found.loader is None:
        raise InputError("the layouts' script is not there", received=script)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    path = folder / f"{layout.stem}.ckpt"
    torch.save(module.build(json.loads(layout.read_text(encoding="utf-8"))), path)
    return path
