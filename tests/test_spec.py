from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.codec import decode, encode
from faceport.errors import SpecError
from faceport.spec import DetectorSpec, ModelSpec, PreprocessSpec, Source, TensorSpec

finite = st.floats(-1e4, 1e4, width=32)
positive = st.floats(0.0625, 1e4, width=32)
names = st.text(min_size=1, max_size=12)


@st.composite
def preprocess_specs(draw: st.DrawFn) -> PreprocessSpec:
    geometry = draw(st.sampled_from(["align", "crop", "letterbox"]))
    return PreprocessSpec(
        height=draw(st.integers(1, 4096)),
        width=draw(st.integers(1, 4096)),
        color_order=draw(st.sampled_from(["rgb", "bgr"])),
        mean=draw(st.tuples(finite, finite, finite)),
        std=draw(st.tuples(positive, positive, positive)),
        geometry=geometry,
        alignment_template="arcface_112" if geometry == "align" else None,
        box_padding=draw(st.floats(0, 4)),
        pad_value=draw(st.integers(0, 255)),
        pad_anchor=draw(st.sampled_from(["top_left", "center"])),
        dynamic_size=geometry == "letterbox" and draw(st.booleans()),
        size_multiple=draw(st.integers(1, 64)),
    )


@st.composite
def model_specs(draw: st.DrawFn) -> ModelSpec:
    task = draw(st.sampled_from(["embedder", "detector", "landmarks"]))
    dims = st.lists(st.one_of(st.integers(1, 9), names), min_size=1, max_size=4).map(tuple)
    tensors = st.builds(TensorSpec, names, st.sampled_from(["float32", "uint8"]), dims)
    preprocess = draw(preprocess_specs())
    return ModelSpec(
        task=task,
        family=draw(names),
        arch=draw(names),
        preprocess=preprocess,
        inputs=(draw(tensors),),
        outputs=tuple(
            draw(st.lists(tensors, min_size=1, max_size=3, unique_by=lambda tensor: tensor.name))
        ),
        source=Source(draw(names), draw(names), draw(names)),
        weights_sha256=draw(names),
        embedding_dim=draw(st.integers(1, 4096)) if task == "embedder" else None,
        normalized=draw(st.booleans()),
        max_batch=draw(st.none() | st.integers(1, 64)),
        detector=DetectorSpec("scrfd", (8, 16, 32), {"scores": ("a", "b", "c")})
        if task == "detector"
        else None,
        fused=draw(st.none() | st.just(preprocess)),
        warnings=tuple(draw(st.lists(names, max_size=2))),
    )


@given(model_specs())
def test_json_round_trip(spec: ModelSpec) -> None:
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert ModelSpec.from_json(json.dumps(json.loads(spec.to_json()), indent=3)) == spec


def embedder() -> ModelSpec:
    preprocess = PreprocessSpec(
        height=112,
        width=112,
        color_order="bgr",
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        geometry="align",
        alignment_template="arcface_112",
    )
    return ModelSpec(
        task="embedder",
        family="adaface",
        arch="ir_18",
        preprocess=preprocess,
        inputs=(TensorSpec("input", "float32", ("batch", 3, 112, 112)),),
        outputs=(TensorSpec("embedding", "float32", ("batch", 512)),),
        source=Source("a.ckpt", "0" * 64),
        weights_sha256="1" * 64,
        embedding_dim=512,
    )


def test_fingerprint_is_of_the_embedding_space() -> None:
    spec = embedder()
    raw = replace(spec, preprocess=spec.preprocess.raw_pixels(), fused=spec.preprocess)
    same = [
        raw,
        replace(spec, max_batch=1),
        replace(spec, normalized=True),
        replace(spec, source=Source("renamed.pth", "2" * 64)),
    ]
    others = [
        replace(spec, weights_sha256="3" * 64),
        replace(spec, preprocess=replace(spec.preprocess, color_order="rgb")),
        replace(spec, preprocess=replace(spec.preprocess, mean=(127.0,) * 3)),
        replace(spec, arch="ir_18_features"),
        replace(spec, pool="cls"),
        replace(spec, pool="mean"),
    ]
    assert {s.fingerprint for s in same} == {spec.fingerprint}
    assert spec.fingerprint not in {s.fingerprint for s in others}
    assert len({s.fingerprint for s in others}) == len(others)


def _changed(**changes: object) -> str:
    data = json.loads(embedder().to_json())
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = data
        for key in parents:
            place = place[key]
        place[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "object"),
        (_changed(surprise=1), "unknown key"),
        (_changed(schema_version=2), "schema version"),
        (_changed(task="recogniser"), "task is not known"),
        (_changed(task="detector"), "embedding_dim"),
        (_changed(embedding_dim=None), "embedding_dim"),
        (_changed(embedding_dim=True), "embedding_dim"),
        (_changed(preprocess__height="112"), "height"),
        (_changed(preprocess__height=0), "height"),
        (_changed(preprocess__mean=[1, 2]), "mean"),
        (_changed(preprocess__std=[1, 1, 0]), "std"),
        (_changed(preprocess__color_order="RGB"), "color_order"),
        (_changed(preprocess__geometry="crop"), "alignment_template"),
        (_changed(preprocess__dtype="uint8"), "raw pixels"),
        (_changed(preprocess__dynamic_size=1), "dynamic_size"),
        (_changed(preprocess__resample="bicubic"), "resample is not known"),
        (_changed(preprocess__resample="bilinear_antialias"), "resample.*geometry align"),
        (_changed(pool="max"), "pool is not known"),
        (_changed(inputs=[]), "one input"),
        (_changed(norm_output="norm"), "norm_output"),
        (_changed(normalized="yes"), "normalized"),
        (_changed(preprocess__box_padding=10**400), "box_padding"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_malformed_specs_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json(text)


@pytest.mark.parametrize("strides", [(), (0, 16), (-8, 16)])
def test_strides_are_positive(strides: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match="strides"):
        DetectorSpec("scrfd", strides, {"scores": ("a",)})


def test_two_outputs_of_one_name_are_refused() -> None:
    with pytest.raises(SpecError, match="one name"):
        replace(embedder(), outputs=embedder().outputs * 2)


def test_a_missing_key_is_named() -> None:
    data = json.loads(embedder().to_json())
    del data["preprocess"]["color_order"]
    with pytest.raises(SpecError, match="color_order"):
        ModelSpec.from_json(json.dumps(data))


def test_specs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        embedder().task = "detector"  # type: ignore[misc]


def test_decode_names_the_path() -> None:
    data = encode(embedder())
    data["outputs"][0]["shape"] = ["batch", 5.5]
    with pytest.raises(SpecError, match=r"ModelSpec\.outputs\[0\]\.shape\[1\]"):
        decode(ModelSpec, data)
