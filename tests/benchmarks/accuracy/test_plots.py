"""Pictures that are drawn whatever the scores are: all alike, none, failures, odd names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceport.benchmarks.accuracy.figures import line_look, shortened
from faceport.benchmarks.accuracy.panel import Row, Tile, draw_panel
from faceport.benchmarks.accuracy.plots import Point, ScoreSet, plot_latency, plot_roc, plot_scores
from faceport.errors import InputError

FAILED = -np.inf


@pytest.mark.parametrize(
    ("genuine", "impostor"),
    [
        ([0.5, 0.7, FAILED], [0.1, 0.2, 0.6]),
        ([0.5], [0.5]),
        ([1.0, 1.0], [-1.0, FAILED]),
    ],
)
def test_plots_of_few_scores(tmp_path: Path, genuine: list[float], impostor: list[float]) -> None:
    sets = [ScoreSet("a $\\frac{1}", np.array(genuine), np.array(impostor))] * 2
    plot_scores(sets, tmp_path / "scores.png", "a $title")
    plot_roc(sets, tmp_path / "roc.png", "名前 $title")
    for name in ("scores.png", "roc.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 500


def test_points_of_equal_accuracy(tmp_path: Path) -> None:
    points = [Point(f"$artefact {n}", n + 1.0, 1.0, 0.0) for n in range(12)]
    plot_latency(points, tmp_path / "latency.png", "title", "accuracy")
    with Image.open(tmp_path / "latency.png") as picture:
        assert picture.height > 500


@pytest.mark.parametrize("name", ["$\\bad$", "r\udcff", "名前"])
def test_names_are_drawn_as_they_are(tmp_path: Path, name: str) -> None:
    sets = [ScoreSet(name, np.array([0.5]), np.array([0.1]))]
    plot_scores(sets, tmp_path / "scores.png", name)
    plot_roc(sets, tmp_path / "roc.png", name)
    plot_latency([Point(name, 1.0, 1.0)], tmp_path / "latency.png", name, "accuracy")
    grey = np.full((20, 20, 3), 128, np.uint8)
    draw_panel([Row((Tile(grey, name),), title=name)], tmp_path / "panel.png", name, name)
    assert len(list(tmp_path.iterdir())) == 4


def test_whether_there_is_a_score_to_draw() -> None:
    nothing = np.array([FAILED])
    assert not ScoreSet("a", nothing, np.array([])).some
    assert ScoreSet("a", nothing, np.array([0.5])).some


def test_right_and_wrong_answers_have_other_frames(tmp_path: Path) -> None:
    grey = np.full((20, 20, 3), 128, np.uint8)
    for name, right in (("right", True), ("wrong", False), ("neither", None)):
        row = Row((Tile(grey, "$name\n名前", 0.5, right),) * 2, Tile(grey, "query"))
        draw_panel([row], tmp_path / f"{name}.png", "title", "note")
    pictures = {}
    for name in ("right", "wrong", "neither"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            pictures[name] = np.asarray(picture.convert("RGB")).astype(int)
    green = [(p[..., 1] - p[..., 0] > 80).sum() for p in pictures.values()]
    orange = [(p[..., 0] - p[..., 2] > 150).sum() for p in pictures.values()]
    assert green[0] > 1000 > max(green[1:])
    assert orange[1] > 1000 > max(orange[0], orange[2])


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="could not be written"):
        plot_latency([Point("a", 1.0, 1.0)], tmp_path / "none" / "a.png", "title", "accuracy")


def test_long_names_lose_their_middle() -> None:
    assert shortened("Aaron_Eckhart_0001.jpg", 22) == "Aaron_Eckhart_0001.jpg"
    assert shortened("Aaron_Eckhart_0001.jpg", 11) == "Aaron…1.jpg"


def test_eight_curves_are_told_apart() -> None:
    assert len({line_look(number) for number in range(8)}) == 8
