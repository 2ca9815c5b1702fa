from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from faceport.models.outputs import EmbedderOutputs, LandmarkOutputs, as_tuple


class TwoOutputs(nn.Module):
    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return values, values.sum(1)


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=4, max_size=4).filter(
        lambda values: np.linalg.norm(values) > 1e-3
    )
)
def test_embedding_and_norm_are_direction_and_length(values: list[float]) -> None:
    raw = np.array([values], np.float32)
    embedding, norm = EmbedderOutputs(nn.Identity(), normalize=True)(torch.from_numpy(raw))
    length = np.linalg.norm(raw.astype(np.float64))
    assert norm.shape == (1, 1)
    assert abs(norm.item() - length) <= 1e-5 * length
    assert np.abs(embedding.numpy() - raw / length).max() < 1e-6


def test_a_zero_vector_stays_zero() -> None:
    embedding, norm = EmbedderOutputs(nn.Identity(), normalize=True)(torch.zeros(2, 8))
    assert embedding.eq(0).all()
    assert norm.eq(0).all()


def test_without_the_norm_the_features_come_out_raw() -> None:
    raw = torch.randn(3, 8)
    (embedding,) = EmbedderOutputs(nn.Identity(), normalize=False)(raw)
    assert embedding.equal(raw)


def test_further_outputs_come_last() -> None:
    raw = torch.randn(3, 8)
    assert EmbedderOutputs(TwoOutputs(), normalize=True)(raw)[2].equal(raw.sum(1))
    assert EmbedderOutputs(TwoOutputs(), normalize=False)(raw)[1].equal(raw.sum(1))


def test_landmarks_are_pixels_of_the_crop_x_before_y() -> None:
    fractions = torch.tensor([[0.5, 0.25, 1.0, 0.0]])
    (landmarks,) = LandmarkOutputs(nn.Identity(), height=100, width=200)(fractions)
    assert landmarks.tolist() == [[[100.0, 25.0], [200.0, 0.0]]]


def test_one_tensor_is_a_tuple_of_one() -> None:
    tensor = torch.ones(1)
    assert as_tuple(tensor)[0] is tensor
    assert as_tuple((tensor, tensor)) == (tensor, tensor)
