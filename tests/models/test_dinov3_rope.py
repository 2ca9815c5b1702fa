"""The tables against the formula written out, a token at a time, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceport.models.dinov3_rope import RotaryTable, default_periods

PREFIX = 3


def turned(
    vector: np.ndarray, row: int, column: int, rows: int, columns: int, periods: np.ndarray
) -> np.ndarray:
    """Turn each pair (i, i + half) of a vector by its angle; the rows' angles come first."""
    down, across = 2 * (row + 0.5) / rows - 1, 2 * (column + 0.5) / columns - 1
    angles = [2 * math.pi * centre / p for centre in (down, across) for p in periods]
    half = len(vector) // 2
    pairs = vector[:half] + 1j * vector[half:]
    result = pairs * np.exp(1j * np.array(angles))
    return np.concatenate([result.real, result.imag])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 5), (4, 4)])
def test_every_patch_is_turned_by_its_place_and_other_tokens_stay(rows: int, columns: int) -> None:
    table = RotaryTable(16, rows, columns, PREFIX)
    periods = torch.tensor([0.7, 1.0, 3.0, 9.5])
    table.load_state_dict({"periods": periods})
    values = torch.randn(
        2, 3, PREFIX + rows * columns, 16, generator=torch.Generator().manual_seed(0)
    )
    result = table(values)
    assert result[..., :PREFIX, :].equal(values[..., :PREFIX, :])
    for index in range(rows * columns):
        for picture, head in np.ndindex(2, 3):
            token = values[picture, head, PREFIX + index].double().numpy()
            place = (index // columns, index % columns, rows, columns)
            np.testing.assert_allclose(
                result[picture, head, PREFIX + index],
                turned(token, *place, periods.double().numpy()),
                atol=5e-6,
            )


def test_the_tables_follow_the_periods_and_are_no_weights() -> None:
    table = RotaryTable(8, 2, 2, 1)
    assert list(table.state_dict()) == ["periods"]
    table.load_state_dict({"periods": torch.tensor([1.0, 2.0])})
    before = table.cos.clone()
    table.load_state_dict({"periods": torch.tensor([1.0, 3.0])})
    assert not table.cos.equal(before)


def test_the_default_periods_are_those_of_the_published_checkpoints(reference: object) -> None:
    import json
    from pathlib import Path

    layout = json.loads((Path(str(reference)) / "layouts" / "dinov3_vits16.json").read_text())
    published = torch.tensor(layout["constants"]["rope_embed.periods"])
    assert default_periods(64).equal(published)
