"""A real checkpoint's weights, and the means to write them in other ways."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from faceport.converters.state import NetworkState, network_state

State = dict[str, torch.Tensor]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small networks run faster on one thread, above all where several test runs share cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def flat_file(weights: Path) -> Path:
    return weights / "mobilefacenet_flat_112x112_512d.pth"


@pytest.fixture(scope="session")
def flat_weights(flat_file: Path) -> State:
    state: State = torch.load(flat_file, weights_only=True)
    return state


@pytest.fixture
def flat_state(flat_weights: State) -> State:
    """A dictionary of its own over the real weights, for tests that change it."""
    return dict(flat_weights)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any, name: str = "checkpoint.pth", **options: Any) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return write


@pytest.fixture(scope="session")
def meta_state() -> Callable[[torch.nn.Module], NetworkState]:
    """Gives a network's own keys and shapes as a checkpoint's, without any memory."""

    def build(network: torch.nn.Module) -> NetworkState:
        return network_state(network.state_dict(), "meta.pth")

    return build


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download cache."""
    monkeypatch.setenv("FACEPORT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@dataclass
class Reply:
    """What the server below answers: `length` overrules the Content-Length that is announced."""

    body: bytes = b""
    status: int = 200
    length: int | None = None
    location: str | None = None


@dataclass
class Server:
    """A web server on this machine: replies by path, and the requests that came."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def serve(self, path: str, body: bytes, **reply: Any) -> None:
        self.replies[path] = Reply(body, **reply)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append((self.path, dict(self.headers)))
            reply = state.replies.get(self.path.split("?")[0], Reply(b"no such page", 404))
            self.send_response(reply.status)
            length = len(reply.body) if reply.length is None else reply.length
            if length >= 0:
                self.send_header("Content-Length", str(length))
            if reply.location is not None:
                self.send_header("Location", reply.location)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()
