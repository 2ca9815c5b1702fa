"""The whole way from files: golden outputs, the real checkpoints, and options that overrule."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from faceport.converters import ConvertOptions, convert
from faceport.errors import (
    CheckpointReadError,
    InputError,
    KeyMismatchError,
    MissingDependencyError,
    SpecError,
    UnknownArchitectureError,
    UntrustedCheckpointError,
)
from faceport.models.mobilefacenet_flat import mobilefacenet_flat
from faceport.spec import ModelSpec, PreprocessSpec

GOLDEN = {
    "adaface_ir_18": ("adaface", "ir_18", "bgr", 127.5, 127.5),
    "adaface_ir_50": ("adaface", "ir_50", "bgr", 127.5, 127.5),
    "mobilefacenet_flat_512": ("mobilefacenet", "mobilefacenet_flat", "rgb", 127.5, 127.5),
    "mobilefacenet_blocks_128": ("mobilefacenet", "mobilefacenet_blocks", "rgb", 127.5, 128.0),
    "mobilefacenet_features_128": (
        *("mobilefacenet", "mobilefacenet_features", "rgb"),
        *((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ),
}


def pixels(images: np.ndarray, preprocess: PreprocessSpec) -> torch.Tensor:
    """What a runtime makes of RGB pictures (N, H, W, 3) by the spec, in plain numpy."""
    ordered = images if preprocess.color_order == "rgb" else images[..., ::-1]
    values = (ordered.astype(np.float64) - preprocess.mean) / preprocess.std
    return torch.from_numpy(values.transpose(0, 3, 1, 2).astype(np.float32).copy())


@pytest.mark.parametrize("layout", GOLDEN)
def test_golden_outputs(
    layout: str, reference: Path, synthetic_checkpoint: Callable[[str], Path]
) -> None:
    model = convert(synthetic_checkpoint(layout))
    family, arch, color_order, mean, std = GOLDEN[layout]
    spec = model.spec
    assert (spec.family, spec.arch, spec.task) == (family, arch, "embedder")
    preprocess = spec.preprocess
    assert preprocess.color_order == color_order
    assert np.allclose(preprocess.mean, mean)
    assert np.allclose(preprocess.std, std)
    with np.load(reference / "golden" / f"{layout}.npz") as golden:
        size = f"{preprocess.height}x{preprocess.width}"
        images, expected = golden[f"image_rgb_{size}"], golden[f"embedding_{size}"]
        norms = golden.get(f"norm_{size}", np.linalg.norm(expected, axis=1, keepdims=True))
    with torch.no_grad():
        embedding, norm = model.module(pixels(images, preprocess))
    unit = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert (embedding.numpy() * unit).sum(1).min() >= 0.99999
    assert np.abs(embedding.numpy() - unit).max() <= 1e-5
    if "flat" not in layout:
        assert np.abs(norm.numpy() / norms - 1).max() <= 1e-3
    assert spec.dropped_keys == (("head.kernel",) if family == "adaface" else ())


def test_the_spec_describes_what_the_module_gives(flat_file: Path) -> None:
    model = convert(flat_file)
    spec = model.spec
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert spec.source.file == flat_file.name
    assert spec.source.sha256 == hashlib.sha256(flat_file.read_bytes()).hexdigest()
    assert spec.source.origin == "TreB1eN/InsightFace_Pytorch"
    assert spec.output_names == ("embedding", "norm")
    assert (spec.normalized, spec.norm_output, spec.embedding_dim) == (True, "norm", 512)
    assert spec.inputs[0].shape == ("batch", 3, 112, 112)
    assert spec.preprocess.alignment_template == "arcface_112"
    assert not model.module.training
    assert {value.dtype for value in model.module.parameters()} == {torch.float32}
    assert not any(value.requires_grad for value in model.module.parameters())
    outputs = model.module(torch.zeros(2, 3, 112, 112))
    for output, tensor in zip(spec.outputs, outputs, strict=True):
        assert (2, *output.shape[1:]) == tuple(tensor.shape)


def test_the_blocks_layout_is_96_wide(weights: Path) -> None:
    spec = convert(weights / "mobilefacenet_blocks_112x96_128d.ckpt").spec
    assert (spec.preprocess.height, spec.preprocess.width) == (112, 96)
    assert spec.inputs[0].shape == ("batch", 3, 112, 96)
    assert (spec.arch, spec.embedding_dim) == ("mobilefacenet_blocks", 128)
    assert spec.preprocess.std == (128.0, 128.0, 128.0)


# Boxes and five points of the picture's faces, as YuNet finds them.
FACES = [
    ((463.9, 269.8, 571.8, 413.2), "491.2 323.3 540.7 332.3 508.5 360.7 484.0 372.9 528.0 381.2"),
    ((745.7, 344.2, 847.8, 476.5), "762.9 400.1 806.1 400.5 775.3 427.3 767.5 443.7 802.7 443.8"),
    ((901.0, 54.7, 1004.7, 203.9), "915.4 121.3 942.0 111.5 919.5 152.1 931.6 171.9 955.0 163.3"),
]


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Eyes, nose and mouth corners among the 68 points of the iBUG scheme."""
    eyes = [landmarks[36:42].mean(0), landmarks[42:48].mean(0)]
    return np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]])


@pytest.mark.parametrize(("bbox", "points"), FACES)
def test_landmarks_lie_on_a_real_face_in_pixels_of_the_crop(
    weights: Path, photos: Path, bbox: tuple[float, ...], points: str
) -> None:
    model = convert(weights / "mobilefacenet_model_best.pth.tar")
    spec = model.spec
    assert (spec.task, spec.arch) == ("landmarks", "mobilefacenet_landmarks68")
    assert spec.outputs[0].shape == ("batch", 68, 2)
    assert spec.embedding_dim is None
    padding = spec.preprocess.box_padding
    x1, y1, x2, y2 = bbox
    grow_x, grow_y = padding * (x2 - x1), padding * (y2 - y1)
    box = tuple(round(v) for v in (x1 - grow_x, y1 - grow_y, x2 + grow_x, y2 + grow_y))
    with Image.open(photos / "groups" / "friends_6_faces.jpg") as photo:
        crop = photo.convert("RGB").crop(box).resize((112, 112), Image.Resampling.BILINEAR)
    with torch.no_grad():
        (landmarks,) = model.module(pixels(np.asarray(crop)[None], spec.preprocess))
    scale = np.array([box[2] - box[0], box[3] - box[1]]) / 112
    found = five_points(landmarks[0].numpy()) * scale + box[:2]
    expected = np.array(points.split(), float).reshape(5, 2)
    assert np.linalg.norm(found - expected, axis=1).mean() < 0.08 * (x2 - x1)


def test_the_regressors_features_come_with_a_warning(weights: Path) -> None:
    model = convert(weights / "mobilefacenet_model_best.pth.tar", ConvertOptions(head="features"))
    assert model.spec.task == "embedder"
    assert model.spec.embedding_dim == 512
    assert model.spec.output_names == ("embedding", "norm")
    assert "not trained to tell identities" in model.spec.warnings[0]
    assert "output_layer.linear.weight" in model.spec.dropped_keys
    assert model.module(torch.rand(3, 3, 112, 112))[0].shape == (3, 512)


def test_the_same_weights_have_one_hash_whatever_file_held_them(
    flat_file: Path, flat_state: dict[str, torch.Tensor], save: Callable, tmp_path: Path
) -> None:
    flat, wrapped = flat_state, {f"module.model.{k}": v for k, v in flat_state.items()}
    save_file(flat, tmp_path / "a.safetensors")
    files = [
        flat_file,
        tmp_path / "a.safetensors",
        save(flat, "legacy.pt", _use_new_zipfile_serialization=False),
        save({"epoch": 3, "state_dict": wrapped, "optimizer": {"state": {}}}, "a.ckpt"),
        save({k: v.double() for k, v in flat.items() if v.dtype.is_floating_point}, "a.bin"),
    ]
    specs = [convert(file).spec for file in files]
    assert len({spec.weights_sha256 for spec in specs}) == 1
    assert len({spec.fingerprint for spec in specs}) == 1
    assert len({spec.source.sha256 for spec in specs}) == len(files)
    assert not any(spec.warnings or spec.dropped_keys for spec in specs)


def test_one_changed_weight_is_another_fingerprint(
    flat_file: Path, flat_state: dict[str, torch.Tensor], save: Callable
) -> None:
    flat_state["bn.bias"] = flat_state["bn.bias"] + 1e-3
    assert convert(save(flat_state)).spec.fingerprint != convert(flat_file).spec.fingerprint


def test_without_normalisation_the_raw_features_come_out(flat_file: Path) -> None:
    raw = convert(flat_file, ConvertOptions(normalize=False))
    unit = convert(flat_file)
    assert raw.spec.output_names == ("embedding",)
    assert (raw.spec.normalized, raw.spec.norm_output) == (False, None)
    assert raw.spec.fingerprint == unit.spec.fingerprint
    picture = torch.rand(1, 3, 112, 112)
    (features,) = raw.module(picture)
    embedding, norm = unit.module(picture)
    assert torch.allclose(embedding * norm, features, rtol=1e-5)


def test_preprocessing_can_be_overruled(flat_file: Path) -> None:
    options = ConvertOptions(color_order="bgr", mean=(127.0,) * 3, std=(128.0,) * 3)
    preprocess = convert(flat_file, options).spec.preprocess
    assert (preprocess.color_order, preprocess.mean, preprocess.std) == (
        "bgr",
        (127.0,) * 3,
        (128.0,) * 3,
    )


def test_default_means_follow_the_colour_order(
    synthetic_checkpoint: Callable[[str], Path],
) -> None:
    file = synthetic_checkpoint("mobilefacenet_features_128")
    preprocess = convert(file, ConvertOptions(color_order="bgr")).spec.preprocess
    assert preprocess.mean == (103.53, 116.28, 123.675)
    assert preprocess.std == (57.375, 57.12, 58.395)
    kept = convert(file, ConvertOptions(color_order="bgr", mean=(1.0, 2.0, 3.0))).spec.preprocess
    assert kept.mean == (1.0, 2.0, 3.0)


def test_a_useless_deviation_is_refused(flat_file: Path) -> None:
    with pytest.raises(SpecError, match="std above 0"):
        convert(flat_file, ConvertOptions(std=(0.0, 1.0, 1.0)))


def test_a_near_miss_is_refused_with_the_closest_family(weights: Path) -> None:
    with pytest.raises(UnknownArchitectureError) as caught:
        convert(weights / "minifasnet_v2_not_a_recogniser.pth")
    message = str(caught.value)
    assert "the closest is mobilefacenet (mobilefacenet_flat)" in message
    assert "conv1.conv.weight has shape [32, 3, 3, 3] where [64, 3, 3, 3] belongs" in message


def test_a_near_miss_asked_for_by_name_is_a_mismatch(weights: Path) -> None:
    with pytest.raises(KeyMismatchError, match="does not fit mobilefacenet_flat"):
        convert(
            weights / "minifasnet_v2_not_a_recogniser.pth",
            ConvertOptions(family="mobilefacenet"),
        )


def test_a_pickle_that_runs_code_is_refused_unless_trusted(weights: Path) -> None:
    file = weights / "yolov5n_face_needs_pickle.pt"
    with pytest.raises(UntrustedCheckpointError) as caught:
        convert(file)
    assert "numpy.core.multiarray._reconstruct" in str(caught.value)
    assert "--trust-checkpoint" in str(caught.value)
    with pytest.raises(CheckpointReadError, match=r"models\.yolo\.Model, which is not installed"):
        convert(file, ConvertOptions(trust_checkpoint=True))


def test_a_trusted_pickle_of_a_whole_module_gives_its_weights(
    flat_file: Path, flat_state: dict[str, torch.Tensor], save: Callable[..., Path]
) -> None:
    network = mobilefacenet_flat()
    network.load_state_dict(flat_state)
    file = save({"model": network, "epoch": 1})
    with pytest.raises(UntrustedCheckpointError, match=r"torch\.nn\.modules"):
        convert(file)
    spec = convert(file, ConvertOptions(trust_checkpoint=True)).spec
    assert spec.weights_sha256 == convert(flat_file).spec.weights_sha256


def test_options_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such family.*mobilefacenet, adaface"):
        convert(tmp_path / "missing", ConvertOptions(family="resnet"))


def test_a_local_file_of_another_hash_is_refused(flat_file: Path) -> None:
    digest = hashlib.sha256(flat_file.read_bytes()).hexdigest()
    assert convert(flat_file, ConvertOptions(sha256=digest.upper())).spec.source.sha256 == digest
    with pytest.raises(CheckpointReadError, match="another hash"):
        convert(flat_file, ConvertOptions(sha256="0" * 64))


def test_the_package_imports_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['safetensors'] = None\n"
        "from faceport.converters import ConvertOptions, archs, convert\n"
        "assert 'ir_101' in archs()\n"
        "try: convert('x.pth')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(MissingDependencyError.__name__)
    assert "pip install 'faceport[export]'" in done.stdout
