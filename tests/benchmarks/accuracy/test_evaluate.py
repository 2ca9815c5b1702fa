"""A real recogniser over real people: figures against plain numpy, and what does not run."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceport.benchmarks.accuracy.evaluate import Evaluated, evaluate
from faceport.benchmarks.accuracy.results import Evaluation
from faceport.benchmarks.accuracy.settings import Settings
from faceport.codec import decode, encode
from faceport.errors import InputError
from faceport.runtime.pipeline import Pipeline

pytestmark = pytest.mark.xdist_group("evaluation")


def test_the_scores_are_those_of_the_pipeline(
    evaluated: Evaluated, people_settings: Settings
) -> None:
    paths = sorted(Path(people_settings.listing).glob("*/*"))
    assert people_settings.detector is not None
    with Pipeline.load(people_settings.detector, people_settings.bundle) as pipeline:
        faces = [pipeline(path) for path in paths]
    vectors = [found[0].embedding.vector.astype(np.float64) for found in faces]
    cosines: dict[bool, list[float]] = {True: [], False: []}
    for one, two in itertools.combinations(range(len(paths)), 2):
        same = paths[one].parent == paths[two].parent
        cosines[same].append(float(vectors[one] @ vectors[two]))
    first = evaluated.scores[0]
    assert first.label == "onnx fp32 · onnxruntime/cpu"
    assert np.allclose(np.sort(first.genuine), np.sort(cosines[True]), atol=1e-5)
    assert np.allclose(np.sort(first.impostor), np.sort(cosines[False]), atol=1e-5)
    spread = evaluated.evaluation.artefacts[0].spread
    assert spread is not None
    assert spread.lowest_genuine == pytest.approx(min(cosines[True]), abs=1e-5)
    assert spread.mean_genuine == pytest.approx(np.mean(cosines[True]), abs=1e-5)
    assert spread.mean_impostor == pytest.approx(np.mean(cosines[False]), abs=1e-5)
    assert spread.highest_impostor == pytest.approx(max(cosines[False]), abs=1e-5)


def test_every_artefact_has_a_row_and_what_does_not_run_a_reason(evaluated: Evaluated) -> None:
    onnx, script, cuda = evaluated.evaluation.artefacts
    assert evaluated.evaluation.reference == onnx.label
    assert onnx.loss is None
    assert script.loss is not None
    assert script.loss.pictures == 9
    assert 0 <= script.loss.worst < 1e-10
    assert script.change is not None
    assert (script.change.lost, script.change.gained, script.change.p_value) == (0, 0, 1.0)
    assert "cuda" in cuda.problem
    assert cuda.verification is None
    assert cuda.p50_ms is None
    for one in (onnx, script):
        assert one.p50_ms is not None
        assert one.p50_ms > 0
        assert one.verification is not None
        assert (one.verification.genuine, one.verification.impostor) == (4, 32)
        assert one.verification.auc == 1.0
        assert one.identification is not None
        assert one.identification.rank1 == 1.0
    assert evaluated.evaluation.absent == (
        "tensorrt: the bundle has no artefact of format tensorrt",
    )


def test_the_results_are_json_and_come_back(evaluated: Evaluated) -> None:
    text = json.dumps(encode(evaluated.evaluation), allow_nan=False)
    assert decode(Evaluation, json.loads(text)) == evaluated.evaluation


def test_the_panel_has_the_hardest_queries_and_their_people(evaluated: Evaluated) -> None:
    assert evaluated.panel is not None
    for row in evaluated.panel.rows:
        assert row.query is not None
        assert row.query.pixels.shape == (112, 96, 3)
        person = row.query.label.split("/")[0]
        scores = [tile.score or 0.0 for tile in row.answers]
        assert scores == sorted(scores, reverse=True)
        for rank, tile in enumerate(row.answers):
            same = tile.label.split("/")[0] == person
            assert tile.right == (True if same else False if rank == 0 else None)


def test_a_second_run_takes_its_crops_from_the_cache_and_finds_the_same(
    evaluated: Evaluated, people_settings: Settings, crop_folder: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in crop_folder.rglob("*.npz")}
    assert len(before) == 9
    again = evaluate(
        replace(people_settings, sessions="onnxruntime/cpu", timing_rounds=0),
        cache=crop_folder,
        panel=False,
    )
    assert {path: path.stat().st_mtime_ns for path in crop_folder.rglob("*.npz")} == before
    assert np.array_equal(again.scores[0].impostor, evaluated.scores[0].impostor)
    assert again.panel is None
    assert again.evaluation.artefacts[0].p50_ms is None


def test_mirrored_templates_are_compared(people_settings: Settings, crop_folder: Path) -> None:
    settings = replace(
        people_settings, sessions="onnxruntime/cpu", timing_rounds=0, flip=True, fuse="norm"
    )
    found = evaluate(settings, cache=crop_folder, panel=False).evaluation
    (one,) = found.artefacts
    assert one.verification is not None
    # Nine templates: two of four people, one of the fifth.
    assert one.verification.pairs == 36
    assert one.verification.auc == 1.0


def test_a_list_of_pairs_shows_its_worst_pairs_and_names_pictures_without_a_face(
    people_settings: Settings, photos: Path, tmp_path: Path, crop_folder: Path
) -> None:
    from PIL import Image

    Image.new("RGB", (300, 300), "green").save(tmp_path / "lawn.png")
    pairs = photos / "pairs"
    lines = [
        "a,b,same",
        f"{pairs}/lennon-1.jpg,{pairs}/lennon-2.jpg,1",
        f"{pairs}/clapton-1.jpg,{pairs}/clapton-2.jpg,1",
        f"{pairs}/clapton-1.jpg,{pairs}/lennon-1.jpg,0",
        f"{pairs}/clapton-2.jpg,{pairs}/lennon-2.jpg,0",
        f"{pairs}/lennon-1.jpg,lawn.png,1",
    ]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    settings = replace(
        people_settings,
        listing=str(tmp_path / "list.csv"),
        sessions="onnxruntime/cpu",
        timing_rounds=0,
    )
    done = evaluate(settings, cache=crop_folder)
    listed = done.evaluation.listed
    assert (listed.pictures, listed.found) == (5, 4)
    assert [(p.picture, p.reason) for p in listed.problems] == [("lawn.png", "no face found")]
    verification = done.evaluation.artefacts[0].verification
    assert verification is not None
    assert (verification.failed_genuine, verification.failed_impostor) == (1, 0)
    assert verification.auc == pytest.approx(2 / 3)
    assert done.panel is not None
    same, different = done.panel.rows
    assert [len(same.answers), len(different.answers)] == [2, 2]
    assert same.answers[0].pixels.shape == (112, 192, 3)
    assert done.evaluation.no_identification != ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"detector": None}, "give --detector"),
        ({"fuse": "mean", "listing": "csv"}, "no templates to fuse"),
        ({"precisions": ("int4",)}, "no such precision.*expected fp32"),
        ({"sessions": "tensorrt"}, "no session that was asked for runs"),
        ({"bundle": "detector"}, "is no embedder"),
    ],
)
def test_what_contradicts_itself_is_refused(
    people_settings: Settings,
    photos: Path,
    tmp_path: Path,
    changed: dict[str, object],
    message: str,
) -> None:
    if changed.get("listing") == "csv":
        pairs = photos / "pairs"
        line = f"{pairs}/lennon-1.jpg,{pairs}/lennon-2.jpg,1"
        (tmp_path / "list.csv").write_text(f"a,b,same\n{line}\n")
        changed = {**changed, "listing": str(tmp_path / "list.csv")}
    if changed.get("bundle") == "detector":
        changed = {"bundle": people_settings.detector}
    with pytest.raises(InputError, match=message):
        evaluate(replace(people_settings, **changed))
