"""`faceport eval` and `faceport sweep`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceport.commands import run

pytestmark = pytest.mark.xdist_group("evaluation")

FAST = ("--timing-rounds", "1", "--threads", "1")


def test_people_are_evaluated(
    recognisers: dict[str, Path],
    detectors: dict[str, Path],
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "new" / "out"
    command = ["eval", str(recognisers["blocks"]), "--detector", str(detectors["scrfd"])]
    command += ["--identities", str(photos / "identities" / "train"), "--output", str(out), *FAST]
    command += ["--sessions", "onnxruntime/cpu,tensorrt"]
    assert run([*command, "--no-plots"]) == 0
    shown = capsys.readouterr()
    assert "4 pairs of one person and 32 of two" in shown.out
    assert "100.00 ± 0.00 %" in shown.out
    assert "9 pictures of train, 1 artefacts" in shown.err
    assert "not run: tensorrt" in shown.err
    assert sorted(path.name for path in out.iterdir()) == ["crops", "report.md", "results.json"]
    assert run([*command, "--no-plots", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["artefacts"][0]["verification"]["auc"] == 1.0
    assert shown.err == ""


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([], "one of --pairs FILE and --identities FOLDER"),
        (["--pairs", "a.csv", "--identities", "."], "one of --pairs"),
        (["--identities", "none"], "is no folder"),
        (["--identities", ".", "--seed", "-1"], "'--seed': -1 is not in the range"),
    ],
)
def test_one_list_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert run(["eval", "a.bundle", "--output", str(tmp_path / "out"), *extra]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_suite_is_swept_and_resumed(
    recognisers: dict[str, Path],
    detectors: dict[str, Path],
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "suite.yaml").write_text(
        f"bundles: [{recognisers['blocks']}, none.bundle]\n"
        f"detectors: [{detectors['scrfd']}]\n"
        f"sets: [{{name: people, identities: {photos / 'identities' / 'train'}}}]\n"
        "settings: [{sessions: onnxruntime/cpu, timing_rounds: 1, threads: 1}]\n"
    )
    command = ["sweep", str(tmp_path / "suite.yaml"), "--output", str(tmp_path / "out")]
    assert run([*command, "--no-plots"]) == 0
    shown = capsys.readouterr()
    assert "suite.yaml: 2 runs" in shown.out
    assert "none.bundle is not a bundle" in shown.err
    assert run([*command, "--no-plots", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["resumed"], first["problem"]) == (True, "")
    assert (second["resumed"], second["file"]) == (False, "")
    (tmp_path / "suite.yaml").write_text("bundles: [none.bundle]\nsets: [{identities: .}]\n")
    assert run([*command, "--no-plots"]) == 1
