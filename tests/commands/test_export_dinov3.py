"""`export` of a fine-tuned transformer: pool, size and projection by their options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from faceport.bundle import Bundle
from faceport.commands import run
from faceport.models.dinov3_config import ViTConfig
from faceport.models.dinov3_rope import default_periods
from faceport.models.dinov3_vit import VisionTransformer
from faceport.runtime.verify import verify_bundle


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small gated transformer with a projection, as a training framework saves it."""
    config = ViTConfig(
        width=32, depth=2, head_width=16, feedforward="swiglu", hidden=48, rows=1, columns=1
    )
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        own = VisionTransformer(config).state_dict()
    state = {key: torch.randn(v.shape, generator=generator) * 0.3 for key, v in own.items()}
    state["rope_embed.periods"] = default_periods(16)
    lightning = {f"model.backbone.{key}": value for key, value in state.items()}
    lightning["model.projection.weight"] = torch.randn(12, 64, generator=generator)
    path = tmp_path_factory.mktemp("vit") / "last.ckpt"
    torch.save({"state_dict": lightning, "epoch": 7}, path)
    return path


def export(checkpoint: Path, output: Path, *options: str) -> int:
    return run(["export", "--checkpoint", str(checkpoint), "--output", str(output), *options])


def test_options_decide_size_pool_and_length(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "v.bundle"
    options = ["--pool", "cls+mean", "--input-height", "48", "--input-width", "32"]
    formats = ["--formats", "onnx,torchscript,pt2"]
    assert export(checkpoint, output, *options, *formats, "--json") == 0
    spec: dict[str, Any] = json.loads(capsys.readouterr().out)["manifest"]["spec"]
    assert (spec["preprocess"]["height"], spec["preprocess"]["width"]) == (48, 32)
    assert spec["preprocess"]["resample"] == "bilinear_antialias"
    assert (spec["pool"], spec["embedding_dim"]) == ("cls+mean", 12)
    assert "(64 to 12 numbers)" in spec["warnings"][0]
    assert len(verify_bundle(Bundle.open(output))) == 3
    assert run(["inspect", str(output)]) == 0
    assert "cls+mean" in capsys.readouterr().out


def test_a_size_that_no_patch_fits_is_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--pool", "cls+mean", "--input-height", "50"]
    assert export(checkpoint, tmp_path / "v.bundle", *options) == 1
    error = capsys.readouterr().err
    assert "--input-height 50" in error
    assert "a multiple of 16 pixels" in error
    assert "48 or 64" in error
    assert not (tmp_path / "v.bundle").exists()
