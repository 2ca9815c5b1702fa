"""Every decoder that a spec may name is there."""

from __future__ import annotations

import typing

import pytest

from faceport.errors import SpecError
from faceport.runtime.detectors import DECODERS, make_decoder
from faceport.spec import Decoder, DetectorSpec


def test_the_registry_has_what_a_spec_may_name() -> None:
    assert set(DECODERS) == set(typing.get_args(Decoder))


@pytest.mark.parametrize("name", typing.get_args(Decoder))
def test_every_decoder_says_which_outputs_it_lacks(name: Decoder) -> None:
    with pytest.raises(SpecError, match=f"detector.outputs of a {name} model"):
        make_decoder(DetectorSpec(decoder=name, strides=(8, 16, 32), outputs={}))
