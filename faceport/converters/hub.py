"""Files of Hugging Face repositories: `hf://owner/repo[@revision]/path/in/repo`."""

from __future__ import annotations

import re

from faceport.converters.download import Request
from faceport.errors import InputError, MissingDependencyError

ADDRESS = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?/(.+)", re.IGNORECASE)


def hub_request(address: str) -> Request:
    """Return the URL of a repository's file, and the user's token if there is one.

    Raises:
        InputError: the address is malformed.
        MissingDependencyError: huggingface_hub is not installed.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        raise InputError(
            "the hf:// address is malformed",
            received=address,
            expected="hf://owner/repo/file or hf://owner/repo@revision/file",
        )
    try:
        from huggingface_hub import get_token, hf_hub_url
    except ModuleNotFoundError as error:
        raise MissingDependencyError("huggingface_hub", "hub") from error
    repository, revision, file = parts.groups()
    try:
        url = hf_hub_url(repository, file, revision=revision)
    except ValueError as error:
        raise InputError(
            "the hf:// address is not valid", received=address, expected=str(error)
        ) from error
    token = get_token()
    return Request(url, authorization=None if token is None else f"Bearer {token}")
