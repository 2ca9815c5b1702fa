"""What a training run wrote down: read where it is known, passed over where it is not."""

from __future__ import annotations

from argparse import Namespace

import pytest

from faceport.converters.hyper_parameters import HyperParameters, hyper_parameters


def test_lightnings_place_comes_first_and_the_outermost_level_wins() -> None:
    raw = {
        "config": {"arch": "swin_t", "image_size": 64},
        "hyper_parameters": {
            "backbone": "ResNet50",
            "model": {"arch": "vit-b-16", "emb_dim": 128},
            "embedding_dim": 512,
            "img_size": [224, 160],
        },
    }
    assert hyper_parameters(raw) == HyperParameters(
        ("resnet50", "swin_t", "vit_b_16"), 224, 160, 512
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (112, (112, 112)),
        ((3, 96, 128), (96, 128)),
        ([96, 128], (96, 128)),
        ("112", (None, None)),
        (True, (None, None)),
        (0, (None, None)),
        ([96, -1], (None, None)),
        ([96], (None, None)),
        ([96, 96, 96, 96], (None, None)),
        (None, (None, None)),
    ],
)
def test_sizes(size: object, expected: tuple[int | None, int | None]) -> None:
    found = hyper_parameters({"hparams": {"image_size": size}})
    assert (found.height, found.width) == expected


def test_a_namespace_is_read_too() -> None:
    found = hyper_parameters({"args": Namespace(model_name="convnext_tiny", input_size=64)})
    assert found == HyperParameters(("convnext_tiny",), 64, 64)


@pytest.mark.parametrize("raw", [None, [], {}, {"hyper_parameters": None}, {"hparams": [1]}, "x"])
def test_nothing_there_is_nothing_found(raw: object) -> None:
    assert hyper_parameters(raw) == HyperParameters()


def test_a_state_dict_is_not_searched() -> None:
    assert hyper_parameters({"state_dict": {"arch": "resnet18"}}) == HyperParameters()
