"""A web server on loopback with optional faults, and a proxy."""

import contextlib
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast


@dataclass
class Page:
    """A file, and the faults of the server that delivers it."""

    body: bytes = b""
    etag: str | None = '"1"'
    modified: str | None = None
    content_type: str = "application/octet-stream"
    encoding: str | None = None
    ranges: bool = True
    """Whether Range is supported; otherwise requests with Range get the whole file."""
    honours_if_range: bool = True
    skew: int = 0
    """Number of bytes by which a partial answer starts late."""
    length: bool = True
    """Whether Content-Length is sent."""
    declared: int | None = None
    """A wrong Content-Length."""
    cuts: list[int] = field(default_factory=list)
    """Positions in the file at which the connection is cut, each once."""
    reset: bool = False
    """Whether a cut is a reset instead of an early end."""
    statuses: list[int] = field(default_factory=list)
    """Status codes that answer the first requests instead of the file."""
    forever: bool = False
    """Whether the first of `statuses` answers all requests."""
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of an answer that is not the file."""
    pause: float = 0
    """Seconds before the body."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    if_range: str | None
    status: int


class Server(ThreadingHTTPServer):
    """Serves `pages`, and records each request and the bytes of the bodies that it sent."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.pages: dict[str, Page] = {}
        self.requests: list[Request] = []
        self.sent = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def url(self, path: str = "/file.pth") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        server = cast(Server, self.server)
        page = server.pages.get(self.path, Page(statuses=[404], forever=True))
        if page.statuses:
            status = page.statuses[0] if page.forever else page.statuses.pop(0)
            self._note(status)
            self.send_response(status)
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = self._start(page)
        start += page.skew if start else 0
        if start and start >= len(page.body):
            self._note(416)
            self.send_error(416)
            return
        self._note(206 if start else 200)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
        if page.length:
            self.send_header("Content-Length", str(page.declared or len(page.body) - start))
        else:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", page.content_type)
        if page.encoding is not None:
            self.send_header("Content-Encoding", page.encoding)
        if page.etag is not None:
            self.send_header("ETag", page.etag)
        if page.modified is not None:
            self.send_header("Last-Modified", page.modified)
        self.end_headers()
        if page.pause:
            threading.Event().wait(page.pause)
        cut = next((cut for cut in page.cuts if cut >= start), None)
        if cut is not None:
            page.cuts.remove(cut)
        body = page.body[start:cut]
        server.sent += len(body)  # before the client has the body and its test reads the sum
        # A client that has read enough closes the connection.
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)
            self.wfile.flush()
        if cut is not None or page.declared is not None or not page.length:
            self._hang_up(reset=page.reset)

    def _start(self, page: Page) -> int:
        """Return the first requested byte, if the server may send a part."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None or not page.ranges:
            return 0
        same = self.headers.get("If-Range") in (None, page.etag, page.modified)
        return int(match[1]) if same or not page.honours_if_range else 0

    def _note(self, status: int) -> None:
        range_, if_range = self.headers.get("Range"), self.headers.get("If-Range")
        cast(Server, self.server).requests.append(Request(self.command, self.path, range_, if_range, status))

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_HEAD(self) -> None:
        page = cast(Server, self.server).pages.get(self.path)
        self._note(200 if page else 404)
        self.send_response(200 if page else 404)
        self.send_header("Content-Length", str(len(page.body) if page else 0))
        self.end_headers()


class _Proxy(_Handler):
    """Answers for hosts that do not exist, from its own pages."""

    def do_GET(self) -> None:
        assert self.path.startswith("http://"), "a proxy is asked with a whole address"
        super().do_GET()


@contextlib.contextmanager
def serving(*, proxy: bool = False) -> Iterator[Server]:
    """Run a server, or a proxy whose pages are named by whole URLs."""
    with Server(_Proxy if proxy else _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
