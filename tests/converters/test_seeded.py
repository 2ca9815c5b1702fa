from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faceport.converters import convert
from faceport.converters.seeded import write_seeded_checkpoint
from faceport.errors import CheckpointError


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeded") / "seeded.pth"
    write_seeded_checkpoint(path)
    return path


def test_it_is_a_flat_mobilefacenet(seeded: Path) -> None:
    spec = convert(seeded).spec
    assert (spec.arch, spec.embedding_dim) == ("mobilefacenet_flat", 512)
    assert spec.warnings == ()


def test_the_seed_decides_every_byte(seeded: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    write_seeded_checkpoint(tmp_path / "same.pth", 0)
    write_seeded_checkpoint(tmp_path / "other.pth", 1)
    assert torch.get_rng_state().equal(before)
    assert (tmp_path / "same.pth").read_bytes() == seeded.read_bytes()
    other = convert(tmp_path / "other.pth").spec
    assert other.weights_sha256 != convert(seeded).spec.weights_sha256


def test_different_pictures_get_different_embeddings(seeded: Path, photos: Path) -> None:
    """With made-up statistics in the normalisations all cosines would be near 1."""
    import numpy as np
    from PIL import Image

    pictures = []
    for path in sorted((photos / "pairs").glob("*.jpg")):
        with Image.open(path) as photo:
            pictures.append(np.asarray(photo.convert("RGB").resize((112, 112)), np.float32))
    values = torch.from_numpy((np.stack(pictures) - 127.5) / 127.5).permute(0, 3, 1, 2)
    embedding, norm = convert(seeded).module(values)
    cosines = embedding @ embedding.T - torch.eye(len(pictures))
    assert len(pictures) > 4
    assert cosines.max() < 0.6
    assert norm.min() > 1


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="could not be written"):
        write_seeded_checkpoint(tmp_path / "missing" / "a.pth")
