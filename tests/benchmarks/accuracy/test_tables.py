"""Figures as people read them: rates with intervals, what the data can't support, failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faceport.benchmarks.accuracy.cost import Change, Loss
from faceport.benchmarks.accuracy.protocol import judge, protocol_of
from faceport.benchmarks.accuracy.results import (
    ArtefactResult,
    Evaluation,
    ModelFacts,
    SetFacts,
    Spread,
)
from faceport.benchmarks.accuracy.setting_texts import facts, pairs_text
from faceport.benchmarks.accuracy.settings import Settings
from faceport.benchmarks.accuracy.tables import (
    cost_table,
    identification_table,
    lowest_supported,
    not_run,
    summary_table,
    tar_table,
    unsupported,
)
from faceport.benchmarks.accuracy.types import Embedded, IdentitySet, Picture
from faceport.benchmarks.machine.environment import Machine

MACHINE = Machine("d", "s", "k", "a", "c", 2, 2, (), 0, (), None, None, "3.11", {})
SETTINGS = Settings("b", "l", pairs=5000)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """200 pictures of 50 people, well apart but not perfectly."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(50), 4)
    vectors = rng.normal(size=(50, 32))[labels] + 0.9 * rng.normal(size=(200, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pictures = tuple(Picture(f"p{n}", b"") for n in range(200))
    people = tuple(f"n{n}" for n in range(50))
    listed = IdentitySet("crowd", pictures, labels, people, np.arange(200))
    made = Embedded(vectors.astype(np.float32), np.ones(200, np.float32), np.ones(200, bool))
    answer = judge(protocol_of(listed, SETTINGS), made, SETTINGS)
    first = ArtefactResult(
        *("fp32", "model.onnx", "onnx", "fp32", "onnxruntime/cpu", "0" * 64, 2_000_000),
        p50_ms=4.0,
        spread=Spread(0.25, 0.5, 0.0, 0.375),
        verification=answer.verification,
        identification=answer.identification,
    )
    second = replace(
        first,
        label="int8",
        size_bytes=500_000,
        p50_ms=3.0,
        loss=Loss(200, 0.01, 0.02, 0.03, "p7"),
        change=Change(-0.002, -0.004, 0.001, 12, 2, 0.0129, 40),
    )
    lost = ArtefactResult(*("gone", "x", "onnx", "fp16", "s", "0" * 64, 1), problem="no GPU here")
    return Evaluation(
        settings=SETTINGS,
        model=ModelFacts("tiny", "f", "a", 32, "0" * 64),
        detector="scrfd",
        listed=SetFacts("crowd", "identities", "0" * 64, 200, 50, 200, 3, ()),
        artefacts=(first, second, lost),
        reference="fp32",
        absent=("pt2: none",),
        no_identification="",
        possible_pairs=19_900,
        machine=MACHINE,
        created="2026-01-01",
        seconds=3.0,
    )


def test_the_lowest_rate_that_the_data_supports_is_in_the_summary(evaluation: Evaluation) -> None:
    # 5000 pairs, 300 of them of one person: 4700 × 1e-2 is above 30, × 1e-3 is not.
    assert lowest_supported(evaluation) == 1e-2
    table = summary_table(evaluation)
    assert {len(row) for row in table.rows} == {len(table.columns)}
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["lowest same / highest other"] == "0.250 / 0.375"
    assert row["TAR@FAR 1e-02"].endswith(" %")
    assert (row["ms"], row["size"]) == ("4.00", "2.00 MB")
    assert table.rows[2][:3] == ("gone", "not run", "")
    assert not_run(evaluation) == ["gone: no GPU here", "pt2: none"]


def test_rates_without_support_are_told_apart(evaluation: Evaluation) -> None:
    assert tar_table(evaluation).columns == ("artefact", "FAR 1e-01", "FAR 1e-02")
    one, two = unsupported(evaluation)
    assert one.startswith("TAR@FAR that the data can't support: 1e-03 (4700 impostor pairs; needs")
    assert two.startswith("FNIR@FPIR that the data can't support: 1e-01 (150 non-mated searches;")
    table = identification_table(evaluation)
    assert table.columns[-1] == "rank-5"
    assert table.rows[0][1:4] == ("50 people", "150", "150")


def test_the_cost_is_against_the_reference(evaluation: Evaluation) -> None:
    (row,) = cost_table(evaluation).rows
    assert row == (
        *("int8", "-0.20", "-0.40 … +0.10", "12 / 2", "0.013", "40"),
        *("1.0e-02", "2.0e-02", "3.0e-02 p7", "0.75 ×", "0.25 ×"),
    )


def test_a_sample_of_pairs_says_so(evaluation: Evaluation) -> None:
    text = "300 pairs of one person and 4,700 of two, drawn of 19,900 with seed 0"
    assert pairs_text(evaluation) == text
    assert any("3 pictures have several" in line for line in facts(evaluation))
