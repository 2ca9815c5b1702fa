"""`export`, `import-onnx`, `inspect` and `verify`, on real weights and on bad ones."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from faceport import atomic
from faceport.bundle import MANIFEST, Bundle
from faceport.commands import run
from faceport.runtime.sessions import open_session

FLAT = "mobilefacenet_flat_112x112_512d.pth"


def export(checkpoint: Path, output: Path, *args: str) -> int:
    return run(["export", "--checkpoint", str(checkpoint), "--output", str(output), *args])


@pytest.fixture(scope="module")
def landmark_bundle(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("landmarks") / "l.bundle"
    checkpoint = weights / "mobilefacenet_model_best.pth.tar"
    assert export(checkpoint, output, "--formats", "onnx") == 0
    return output


def test_export_prints_a_table_and_json_prints_json(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "m.bundle"
    assert export(weights / FLAT, output, "--formats", "onnx,pt2") == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("model.onnx", "model.pt2", "opset", "parity", "cosine"))
    assert export(weights / FLAT, output, "--formats", "onnx", "--json") == 0
    captured = capsys.readouterr()
    manifest = json.loads(captured.out)["manifest"]
    assert [a["format"] for a in manifest["artefacts"]] == ["onnx"]
    assert manifest["artefacts"][0]["parity"][0]["min_cosine"] >= 0.999999
    assert [p.name for p in tmp_path.iterdir()] == ["m.bundle"]


def test_overruled_preprocessing_is_in_the_spec(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.bundle"
    options = ["--color-order", "bgr", "--mean", "127", "--std", "128,128,128"]
    assert export(weights / FLAT, output, "--formats", "onnx", *options) == 0
    spec = Bundle.open(output).spec.preprocess
    assert (spec.color_order, spec.mean, spec.std) == ("bgr", (127.0,) * 3, (128.0,) * 3)


def test_a_graph_that_takes_pixels(
    weights: Path, tmp_path: Path, detectors: dict[str, Path], photos: Path
) -> None:
    from faceport import Pipeline

    plain, fused = tmp_path / "plain.bundle", tmp_path / "fused.bundle"
    assert export(weights / FLAT, plain, "--formats", "onnx") == 0
    assert export(weights / FLAT, fused, "--formats", "onnx,torchscript", "--fuse-preprocess") == 0
    spec = Bundle.open(fused).spec
    assert spec.inputs[0].dtype == "uint8"
    assert spec.inputs[0].shape == ("batch", 112, 112, 3)
    assert spec.fingerprint == Bundle.open(plain).spec.fingerprint
    photo = photos / "groups" / "friends_6_faces.jpg"
    vectors = []
    for path in (plain, fused):
        with Pipeline.load(detectors["scrfd"], path) as pipeline:
            vectors.append(np.stack([face.embedding.vector for face in pipeline(photo)]))
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-4)


def test_without_the_norm_in_the_graph(weights: Path, tmp_path: Path) -> None:
    output = tmp_path / "m.bundle"
    assert export(weights / FLAT, output, "--formats", "onnx", "--no-normalize") == 0
    bundle = Bundle.open(output)
    assert bundle.spec.output_names == ("embedding",)
    assert not bundle.spec.normalized
    session = open_session(output / "model.onnx", "onnxruntime")
    pixels = np.random.default_rng(0).normal(size=(2, 3, 112, 112)).astype(np.float32)
    lengths = np.linalg.norm(session.run({"input": pixels})["embedding"], axis=1)
    assert np.abs(lengths - 1).min() > 0.01


def test_the_landmark_regressor_is_no_recogniser(
    landmark_bundle: Path,
    photos: Path,
    detectors: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = Bundle.open(landmark_bundle).spec
    assert spec.task == "landmarks"
    assert [(o.name, o.shape) for o in spec.outputs] == [("landmarks", ("batch", 68, 2))]
    photo = photos / "groups" / "friends_6_faces.jpg"
    models = ["--detector", str(detectors["scrfd"]), "--embedder", str(landmark_bundle)]
    assert run(["embed", *models, str(photo)]) == 1
    assert "landmarks" in capsys.readouterr().err


def test_its_features_come_with_a_warning(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "f.bundle"
    checkpoint = weights / "mobilefacenet_model_best.pth.tar"
    assert export(checkpoint, output, "--formats", "onnx", "--head", "features") == 0
    assert "not trained to tell identities" in capsys.readouterr().err
    spec = Bundle.open(output).spec
    assert spec.embedding_dim == 512
    assert any("not trained to tell identities" in text for text in spec.warnings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("minifasnet_v2_not_a_recogniser.pth", "mobilefacenet"),
        ("yolov5n_face_needs_pickle.pt", "--trust-checkpoint"),
        ("scrfd_500m_kps.onnx", "import-onnx"),
        ("no such file.pth", "no such file"),
    ],
)
def test_what_is_no_recogniser_is_refused(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    message: str,
) -> None:
    assert export(weights / name, tmp_path / "m.bundle") == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 10, 4_000, 2_000_000])
def test_a_truncated_checkpoint(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: int
) -> None:
    cut = tmp_path / "cut.pth"
    cut.write_bytes((weights / FLAT).read_bytes()[:keep])
    assert export(cut, tmp_path / "m.bundle") == 1
    assert "cut.pth" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["cut.pth"]


def test_a_full_disk_leaves_the_old_bundle(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "m.bundle"
    assert export(weights / FLAT, output, "--formats", "onnx") == 0
    before = (output / MANIFEST).read_bytes()

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "sync_file", full)
    assert export(weights / FLAT, output, "--formats", "onnx") == 1
    assert "No space left" in capsys.readouterr().err
    assert (output / MANIFEST).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.bundle"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--formats", "onnx,tflite"], 2),
        (["--mean", "a,b"], 2),
        (["--family", "nonsense"], 1),
        (["--arch", "ir_50"], 1),
        (["--sha256", "0" * 64], 1),
        (["--head", "nonsense"], 1),
    ],
)
def test_wrong_arguments(weights: Path, tmp_path: Path, args: list[str], code: int) -> None:
    assert export(weights / FLAT, tmp_path / "m.bundle", *args) == code
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_no_bundle_is_left_alone(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert export(weights / FLAT, tmp_path / "mine", "--formats", "onnx") == 1
    assert export(weights / FLAT, tmp_path / "no" / "m.bundle", "--formats", "onnx") == 1
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_verify_and_inspect(
    recognisers: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "m.bundle"
    shutil.copytree(recognisers["blocks"], bundle)
    assert run(["inspect", str(bundle)]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("112 high × 96 wide", "fingerprint", "licence"))
    assert run(["verify", str(bundle)]) == 0
    assert capsys.readouterr().out.count("passed") == 2
    data = bytearray((bundle / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(data)
    assert run(["verify", str(bundle), "--json"]) == 1
    results = json.loads(capsys.readouterr().out)["artefacts"]
    assert [r["status"] for r in results] == ["failed", "passed"]
    assert run(["inspect", str(tmp_path)]) == 1
    assert "not a bundle" in capsys.readouterr().err


def test_import_of_a_recogniser_needs_its_preprocessing(
    recognisers: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(recognisers["flat"] / "model.onnx")
    output = tmp_path / "r.bundle"
    base = ["import-onnx", source, "--family", "recogniser", "--output", str(output)]
    assert run(base) == 1
    assert "--color-order" in capsys.readouterr().err
    options = ["--color-order", "rgb", "--mean", "127.5", "--std", "127.5"]
    assert run([*base, *options]) == 0
    assert Bundle.open(output).spec.embedding_dim == 512


def test_import_with_the_wrong_family(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(weights / "scrfd_500m_kps.onnx")
    for family in ("yunet", "yolov8-face"):
        output = str(tmp_path / "d.bundle")
        assert run(["import-onnx", source, "--family", family, "--output", output]) == 1
        assert family in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
