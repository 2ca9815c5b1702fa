from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.bundle import Parity
from faceport.errors import InputError, ParityError, SessionError
from faceport.runtime import parity
from faceport.runtime.sessions.base import Array
from faceport.spec import DetectorSpec, ModelSpec, PreprocessSpec, Source, TensorSpec

FP32 = parity.TOLERANCES["fp32"]
Outputs = Callable[[Array], dict[str, Array]]

EMBEDDER = ModelSpec(
    task="embedder",
    family="f",
    arch="a",
    preprocess=PreprocessSpec(
        4, 4, "rgb", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "align", alignment_template="arcface_112"
    ),
    inputs=(TensorSpec("input", "float32", ("batch", 6)),),
    outputs=(
        TensorSpec("embedding", "float32", ("batch", 4)),
        TensorSpec("norm", "float32", ("batch", 1)),
        TensorSpec("map", "float32", ("batch", 2, 2)),
    ),
    source=Source("f", "0" * 64),
    weights_sha256="0" * 64,
    embedding_dim=4,
    normalized=True,
    norm_output="norm",
)
RAW = replace(EMBEDDER, outputs=EMBEDDER.outputs[:1], norm_output=None, normalized=False)
DETECTOR = replace(
    EMBEDDER,
    task="detector",
    outputs=(TensorSpec("scores", "float32", (3, 1)),),
    embedding_dim=None,
    normalized=False,
    norm_output=None,
    max_batch=1,
    detector=DetectorSpec("scrfd", (8,), {"scores": ("scores",)}),
)


@dataclass
class FakeSession:
    """Runs a function, and remembers what it was fed."""

    compute: Outputs
    backend: str = "fake"
    provider: str = "cpu"
    inputs: tuple[TensorSpec, ...] = EMBEDDER.inputs
    outputs: tuple[TensorSpec, ...] = EMBEDDER.outputs
    spec: ModelSpec | None = None
    fed: list[Array] = field(default_factory=list)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.fed.append(feeds["input"])
        return self.compute(feeds["input"])

    def close(self) -> None: ...


def network(inputs: Array) -> dict[str, Array]:
    """A linear map, in float64 and rounded once."""
    weights = np.random.default_rng(1).normal(size=(6, 4))
    features = inputs.astype(np.float64) @ weights
    norm = np.linalg.norm(features, axis=1, keepdims=True)
    return {
        "embedding": (features / norm).astype(np.float32),
        "norm": norm.astype(np.float32),
        "map": np.tanh(features).reshape(-1, 2, 2).astype(np.float32),
    }


def raw_network(inputs: Array) -> dict[str, Array]:
    out = network(inputs)
    return {"embedding": out["embedding"] * out["norm"]}


def pictures(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)


def figures(
    compute: Outputs, spec: ModelSpec = EMBEDDER, count: int = 5, truth: Outputs = network
) -> tuple[Parity, ...]:
    inputs = pictures(count)
    return parity.measure(FakeSession(compute), spec, inputs, truth(inputs))


def changed(**edits: Callable[[Array], Array]) -> Outputs:
    def compute(inputs: Array) -> dict[str, Array]:
        out = network(inputs)
        return out | {name: edit(out[name]) for name, edit in edits.items()}

    return compute


def test_the_same_outputs_are_at_cosine_1_and_difference_0() -> None:
    records = figures(network)
    assert [r.batch for r in records] == [1, 5]
    for record in records:
        assert record.max_abs_diff == 0
        assert record.min_cosine == pytest.approx(1, abs=1e-15)
    parity.check(records, FP32, "model")


@given(
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e-7, 1e-4, 0.1, 3.0]),
)
def test_figures_are_those_of_plain_float64_loops(count: int, seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    want = rng.normal(size=(count, 8)).astype(np.float32)
    got = (want + noise * rng.normal(size=want.shape)).astype(np.float32)
    record = parity.compare(RAW, {"embedding": got}, {"embedding": want}, count)
    cosines, diffs = [], []
    for a, b in zip(got.tolist(), want.tolist(), strict=True):
        length_a = sum(v * v for v in a) ** 0.5
        length_b = sum(v * v for v in b) ** 0.5
        cosines.append(sum(x * y for x, y in zip(a, b, strict=True)) / length_a / length_b)
        diffs += [abs(x / length_a - y / length_b) for x, y in zip(a, b, strict=True)]
        diffs.append(abs(length_a / length_b - 1))
    assert record.min_cosine == pytest.approx(min(*cosines, 1.0), abs=1e-12)
    assert record.mean_cosine == pytest.approx(sum(cosines) / count, abs=1e-12)
    assert record.max_abs_diff == pytest.approx(max(diffs), rel=1e-9, abs=1e-12)


def test_a_lengthened_embedding_that_should_keep_its_length_fails() -> None:
    longer = figures(lambda x: {"embedding": raw_network(x)["embedding"] * 2}, RAW, 5, raw_network)
    assert longer[0].min_cosine == pytest.approx(1)
    assert longer[0].max_abs_diff == pytest.approx(1)
    with pytest.raises(ParityError):
        parity.check(longer, FP32, "model")


def test_the_norm_is_compared_relatively() -> None:
    records = figures(changed(norm=lambda a: a * np.float32(1.001)))
    assert records[0].max_abs_diff == pytest.approx(1e-3, rel=1e-3)


def test_other_outputs_are_compared_to_their_own_scale() -> None:
    def small(inputs: Array) -> dict[str, Array]:
        out = network(inputs)
        return out | {"map": out["map"] * np.float32(1e-3)}

    def off(inputs: Array) -> dict[str, Array]:
        return network(inputs) | {"map": small(inputs)["map"] * np.float32(1.01)}

    assert figures(off, truth=small)[1].max_abs_diff == pytest.approx(0.01, rel=1e-3)


def test_a_turned_map_lowers_the_cosine() -> None:
    records = figures(changed(map=lambda a: a.swapaxes(1, 2)))
    assert records[0].min_cosine < 0.99


def test_outputs_of_zeros_are_the_same_as_zeros_and_as_nothing_else() -> None:
    zeros = changed(map=np.zeros_like)
    assert figures(zeros, truth=zeros)[0] == Parity(1, 0.0, pytest.approx(1), pytest.approx(1))
    assert figures(network, truth=zeros)[0].min_cosine == 0


def test_large_values_do_not_overflow() -> None:
    huge = {"embedding": np.full((1, 4), 1e30, np.float32)}
    record = parity.compare(RAW, huge, huge, 1)
    assert (record.max_abs_diff, record.min_cosine) == (0, pytest.approx(1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("output", ["embedding", "norm", "map"])
def test_a_value_that_is_not_finite_is_no_parity(output: str, bad: float) -> None:
    def spoil(array: Array) -> Array:
        spoiled = array.copy()
        spoiled.flat[-1] = bad
        return spoiled

    spoiled = changed(**{output: spoil})
    with pytest.raises(ParityError, match=f"{output}.*not finite"):
        figures(spoiled)
    with pytest.raises(ParityError, match=f"reference of output '{output}' is not finite"):
        figures(spoiled, truth=spoiled)


def test_shapes_and_names_must_be_the_references() -> None:
    with pytest.raises(ParityError, match="another shape"):
        figures(changed(embedding=lambda a: a[:, :3]))
    with pytest.raises(ParityError, match="output is missing"):
        figures(lambda x: {"embedding": network(x)["embedding"]})
    with pytest.raises(ParityError, match="no reference"):
        figures(network, truth=raw_network)
    with pytest.raises(ParityError, match="number of rows"):
        figures(network, truth=lambda x: network(x[:3]))
    with pytest.raises(ParityError, match="no picture"):
        figures(network, count=0)


def test_rows_that_come_back_flat_are_no_parity() -> None:
    """Published graphs exist whose last Reshape makes one row of a whole batch."""
    with pytest.raises(ParityError, match="another shape"):
        figures(lambda x: {"embedding": raw_network(x)["embedding"].reshape(1, -1)}, RAW)


def test_a_graph_that_is_wrong_in_batches_only_is_found() -> None:
    def mixed(inputs: Array) -> dict[str, Array]:
        out = network(inputs)
        return out | {"embedding": np.roll(out["embedding"], 1, axis=0)}

    one, five = figures(mixed)
    assert one.max_abs_diff == 0
    assert five.min_cosine < 0.9
    with pytest.raises(ParityError, match=r"batch 5.*cosine.*expected cosine ≥ 0.999999"):
        parity.check((one, five), FP32, "model")


def test_a_session_that_fails_at_batch_5_is_no_parity() -> None:
    def single(inputs: Array) -> dict[str, Array]:
        if len(inputs) > 1:
            raise SessionError("the batch is fixed")
        return network(inputs)

    with pytest.raises(ParityError, match="does not run at batch 5: the batch is fixed") as caught:
        figures(single)
    assert isinstance(caught.value.__cause__, SessionError)


@pytest.mark.parametrize(
    ("count", "max_batch", "sizes"),
    [
        (5, None, (1, 5)),
        (8, None, (1, 5)),
        (3, None, (1, 3)),
        (1, None, (1,)),
        (8, 1, (1,)),
        (8, 3, (1, 3)),
    ],
)
def test_every_picture_runs_alone_and_in_a_batch(
    count: int, max_batch: int | None, sizes: tuple[int, ...]
) -> None:
    session = FakeSession(network)
    inputs = pictures(count)
    spec = replace(EMBEDDER, max_batch=max_batch)
    records = parity.measure(session, spec, inputs, network(inputs))
    assert tuple(r.batch for r in records) == sizes
    assert {len(fed) for fed in session.fed} == set(sizes)
    for size in sizes:
        rows = np.concatenate([fed for fed in session.fed if len(fed) == size])
        assert {row.tobytes() for row in rows} == {row.tobytes() for row in inputs}


def test_outputs_without_a_batch_axis_are_one_picture() -> None:
    def scores(inputs: Array) -> dict[str, Array]:
        return {"scores": np.abs(inputs[0, :3, None])}

    inputs = pictures(4)
    reference = {"scores": np.stack([scores(inputs[i : i + 1])["scores"] for i in range(4)])}
    records = parity.measure(FakeSession(scores), DETECTOR, inputs, reference)
    assert records == (Parity(1, 0.0, pytest.approx(1), pytest.approx(1)),)


@pytest.mark.parametrize(
    ("cosine", "diff", "passes"),
    [
        (0.999999, 1e-4, True),
        (0.9999989, 0.0, False),
        (1.0, 1.01e-4, False),
        (float("nan"), 0.0, False),
        (1.0, float("nan"), False),
    ],
)
def test_the_tolerance_is_a_limit(cosine: float, diff: float, passes: bool) -> None:
    records = (Parity(1, 0.0, 1.0), Parity(5, diff, cosine))
    if passes:
        parity.check(records, FP32, "model")
        return
    with pytest.raises(ParityError, match=r"model does not compute.*batch 5"):
        parity.check(records, FP32, "model")


def test_no_figures_are_no_parity() -> None:
    with pytest.raises(ParityError, match="no parity figures"):
        parity.check((), FP32, "model")


def test_an_unknown_precision_has_no_tolerance() -> None:
    assert parity.tolerance_for("fp32") == parity.Tolerance(0.999999, 1e-4)
    with pytest.raises(InputError, match=r"int3.*expected fp32"):
        parity.tolerance_for("int3")


def test_the_embedding_is_the_output_that_is_not_the_norm() -> None:
    swapped = replace(EMBEDDER, outputs=(EMBEDDER.outputs[1], EMBEDDER.outputs[0]))
    assert parity.embedding_output(swapped) == "embedding"
    assert parity.embedding_output(DETECTOR) is None


def test_no_score_hides_behind_the_pixels_of_a_concatenated_output() -> None:
    detector = DetectorSpec("yolov8-face", (8,), {"concatenated": ("rows",)}, keypoints=0)
    rows = TensorSpec("rows", "float32", ("batch", 5, 9))
    spec = replace(DETECTOR, detector=detector, outputs=(rows,))
    expected = np.random.default_rng(3).uniform(0.1, 0.9, (2, 5, 9)).astype(np.float32)
    expected[:, :4] *= 640
    received = expected.copy()
    received[0, 4, 3] += 0.05
    record = parity.compare(spec, {"rows": received}, {"rows": expected}, 1)
    assert record.max_abs_diff == pytest.approx(0.05 / expected[:, 4].max(), rel=1e-3)
