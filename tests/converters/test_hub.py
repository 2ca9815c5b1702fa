from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from faceport.converters.hub import hub_request
from faceport.converters.locate import locate
from faceport.errors import InputError, MissingDependencyError

pytest.importorskip("huggingface_hub")

# What a torch checkpoint of the older format begins with.
PICKLE = b"\x80\x02"


@pytest.fixture
def endpoint(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub, played by the server on this machine; the hub's client reads this at import."""
    import huggingface_hub
    from huggingface_hub import constants

    template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    return server


def test_a_repositorys_file_is_fetched(endpoint: Any, cache: Path) -> None:
    endpoint.serve("/owner/faces/resolve/main/weights/a.safetensors", PICKLE + b"content")
    file = locate("hf://owner/faces/weights/a.safetensors")
    assert file.path.read_bytes() == PICKLE + b"content"
    assert file.name == "a.safetensors"


def test_a_revision_is_asked_for(endpoint: Any, cache: Path) -> None:
    endpoint.serve("/owner/faces/resolve/v1.0/a.ckpt", PICKLE + b"old")
    assert locate("hf://owner/faces@v1.0/a.ckpt").path.read_bytes() == PICKLE + b"old"


def test_the_users_token_is_sent(
    endpoint: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "abc")
    endpoint.serve("/owner/faces/resolve/main/a.ckpt", PICKLE + b"private")
    locate("hf://owner/faces/a.ckpt")
    assert endpoint.requests[0][1]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    "address", ["hf://owner", "hf://owner/repo", "hf://owner/repo/", "hf:///repo/file"]
)
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="hf://owner/repo/file"):
        hub_request(address)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[hub\]"):
        hub_request("hf://owner/repo/file")
