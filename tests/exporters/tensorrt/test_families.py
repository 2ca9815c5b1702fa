"""TensorRT-RTX engines of every family's fp32, fp16 and Q/DQ graphs, built without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceport.converters import convert
from faceport.exporters import ExportOptions, export_bundle

FAMILIES = [
    "mobilefacenet_features_128",
    "adaface_ir_18",
    "dinov3_vits16",
    "dinov3_convnext_tiny",
]


@pytest.mark.parametrize("layout", FAMILIES)
def test_every_family_builds_in_three_precisions(
    layout: str, synthetic_checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    model = convert(synthetic_checkpoint(layout))
    size = model.spec.preprocess
    crops = tmp_path / "crops"
    crops.mkdir()
    small = np.random.default_rng(4).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    for number, one in enumerate(small):
        Image.fromarray(one).resize((size.width, size.height)).save(crops / f"{number:03}.png")
    options = ExportOptions(
        formats=("tensorrt-rtx",),
        precisions=("fp32", "fp16", "int8"),
        calibration=crops,
        # Seeded weights on pictures of nothing: that it builds is what is asked here.
        min_cosine=0.5,
        min_mean_cosine=0.5,
    )
    bundle = export_bundle(model, tmp_path / "m.bundle", options)
    made = {artefact.precision: artefact for artefact in bundle.manifest.artefacts}
    assert list(made) == ["fp32", "fp16", "int8"]
    assert made["fp16"].file.size_bytes < 0.7 * made["fp32"].file.size_bytes
    for artefact in made.values():
        # Proven where there is a GPU; elsewhere the manifest says that it is not.
        assert artefact.parity or any("not run" in note for note in artefact.notes)
