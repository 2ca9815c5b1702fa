"""The decoders there are. Adding one: a module with a decoder, and its name here and in `spec`."""

from __future__ import annotations

from collections.abc import Mapping

from faceport.runtime.detectors.candidates import Decoder, DecoderFactory
from faceport.runtime.detectors.scrfd import ScrfdDecoder
from faceport.runtime.detectors.yolov8_face import yolov8_face_decoder
from faceport.runtime.detectors.yunet import YunetDecoder
from faceport.spec import DetectorSpec

DECODERS: Mapping[str, DecoderFactory] = {
    "scrfd": ScrfdDecoder,
    "yunet": YunetDecoder,
    "yolov8-face": yolov8_face_decoder,
}
"""`DetectorSpec.decoder` to what makes the decoder."""


def make_decoder(spec: DetectorSpec) -> Decoder:
    """Make the decoder that a spec names.

    Raises:
        SpecError: the spec does not name the outputs that the decoder needs.
    """
    return DECODERS[spec.decoder](spec)
