import errno
import hashlib
import multiprocessing
import random
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from serving import Page, Server, serving

from harness.assets import download as module
from harness.assets.cache import cache_folder
from harness.assets.download import Downloaded, download
from harness.errors import ObtainError

BODY = random.Random(0).randbytes(1_000_003)
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = bytes(255 - byte for byte in BODY)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "file.pth"


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Use no proxy and do not wait; return the waiting times."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    waits: list[float] = []
    monkeypatch.setattr(module, "sleep", waits.append)
    return waits


def fetch(target: Path, *urls: str, size: int | None = len(BODY), sha256: str | None = SHA256) -> Downloaded:
    return download(urls, target, size=size, sha256=sha256, what="a checkpoint", progress=lambda done, total: None)


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def ranges(server: Server) -> list[str | None]:
    return [request.range for request in server.requests]


def test_a_file_arrives_whole_and_its_progress_is_told(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY)
    told: list[tuple[int, int | None]] = []
    found = download(
        [server.url()],
        target,
        size=None,
        sha256=SHA256[:8].upper(),
        what="a checkpoint",
        progress=lambda done, total: told.append((done, total)),
    )
    assert found == Downloaded(target, server.url(), SHA256, len(BODY))
    assert target.read_bytes() == BODY
    assert left(target) == ["file.pth"]
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (len(BODY), len(BODY))


def test_what_is_there_is_not_downloaded_and_what_is_wrong_is_replaced(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY)
    target.parent.mkdir()
    target.write_bytes(BODY)
    assert fetch(target, server.url()) == Downloaded(target, None, SHA256, len(BODY))
    assert server.requests == []
    target.write_bytes(OTHER)
    assert fetch(target, server.url()).url == server.url()
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("validator", [{}, {"etag": None, "modified": "Sun, 22 Nov 2026 20:00:00 GMT"}])
def test_cut_at_every_tenth(server: Server, target: Path, reset: bool, validator: dict[str, Any]) -> None:
    page = Page(BODY, cuts=[len(BODY) * tenth // 10 for tenth in range(1, 10)], reset=reset, **validator)
    server.pages["/file.pth"] = page
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert left(target) == ["file.pth"]
    first, *further = server.requests
    assert first.range is None
    assert len(further) == 9
    assert {request.status for request in further} == {206}
    assert {request.if_range for request in further} == {page.etag or page.modified}
    if not reset:  # a reset may lose bytes in transit
        assert server.sent == len(BODY)
        assert [request.range for request in further] == [f"bytes={len(BODY) * n // 10}-" for n in range(1, 10)]


def test_ctrl_c_keeps_the_part_and_the_next_run_goes_on(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY)

    def interrupt(done: int, total: int | None) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download([server.url()], target, size=None, sha256=SHA256, what="a checkpoint", progress=interrupt)
    assert left(target) == [".file.pth.part", ".file.pth.part.json"]
    held = (target.parent / ".file.pth.part").stat().st_size
    assert 300_000 < held < len(BODY)
    fetch(target, server.url())
    assert ranges(server) == [None, f"bytes={held}-"]
    assert target.read_bytes() == BODY


def interrupted(server: Server, target: Path, **page: Any) -> Page:
    """Leave the first half of a page's file, as a server that cuts every connection there does."""
    half = len(BODY) // 2
    found = server.pages["/file.pth"] = Page(BODY, cuts=[half] * module.ATTEMPTS, **page)
    with pytest.raises(ObtainError, match=r"the connection was lost.*\(5 attempts\)\n  run again to resume"):
        fetch(target, server.url())
    assert left(target) == [".file.pth.part", ".file.pth.part.json"]
    assert (target.parent / ".file.pth.part").read_bytes() == BODY[:half]
    server.requests.clear()
    server.sent = 0
    return found


def test_the_rest_after_an_error_is_asked_for_once(server: Server, target: Path) -> None:
    interrupted(server, target)
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert server.sent == len(BODY) - len(BODY) // 2


@pytest.mark.parametrize("honours_if_range", [True, False])
def test_a_file_that_changed_on_the_server_is_begun_anew(server: Server, target: Path, honours_if_range: bool) -> None:
    page = interrupted(server, target)
    page.body, page.etag, page.honours_if_range = OTHER, '"2"', honours_if_range
    # Without a sha256, only the ETag distinguishes the two files.
    fetch(target, server.url(), sha256=None)
    assert target.read_bytes() == OTHER
    assert [request.status for request in server.requests] == ([200] if honours_if_range else [206, 200])


def test_range_ignored(server: Server, target: Path) -> None:
    interrupted(server, target).ranges = False
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert [(request.range is not None, request.status) for request in server.requests] == [(True, 200)]


def test_no_range_and_no_validator(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY, etag=None, ranges=False, cuts=[len(BODY) // 2])
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert ranges(server) == [None, None]


def test_a_partial_answer_that_begins_elsewhere(server: Server, target: Path) -> None:
    interrupted(server, target).skew = 10
    fetch(target, server.url(), sha256=None)
    assert target.read_bytes() == BODY
    assert [request.status for request in server.requests] == [206, 200]


def test_no_note_of_an_earlier_part_while_a_new_one_grows(server: Server, target: Path) -> None:
    """Otherwise a process killed then would leave bytes under the name of other bytes."""
    page = interrupted(server, target)
    page.etag, page.ranges = None, False
    seen: set[str] = set()
    download(
        [server.url()],
        target,
        size=None,
        sha256=None,
        what="a checkpoint",
        progress=lambda done, total: seen.update(left(target)),
    )
    assert seen == {".file.pth.part", ".file.pth.lock"}


def test_no_length(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY, length=False, cuts=[1000])
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert ranges(server) == [None, "bytes=1000-"]


def test_packed_on_the_way(server: Server, target: Path) -> None:
    refused(server, target, Page(BODY, encoding="gzip"), "its response is compressed")
    assert fetch(target.with_suffix(".tgz"), server.url()).sha256 == SHA256


def test_a_weak_etag_is_no_ground_to_resume(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY, etag='W/"1"', cuts=[len(BODY) // 2])
    fetch(target, server.url())
    assert ranges(server) == [None, None]


def test_a_part_of_unknown_origin_is_no_start(server: Server, target: Path) -> None:
    interrupted(server, target)
    (target.parent / ".file.pth.part.json").write_text("{")
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert ranges(server) == [None]


def test_a_damaged_part_is_noticed_and_begun_anew(server: Server, target: Path) -> None:
    interrupted(server, target)
    (target.parent / ".file.pth.part").write_bytes(OTHER[: len(BODY) // 2])
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert [request.status for request in server.requests] == [206, 200]


@pytest.mark.parametrize("held", [len(BODY), len(BODY) + 1])
def test_a_part_that_is_whole_or_more(server: Server, target: Path, held: int) -> None:
    interrupted(server, target)
    (target.parent / ".file.pth.part").write_bytes((BODY + b"!")[:held])
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert [request.status for request in server.requests] == ([] if held == len(BODY) else [416, 200])
    assert left(target) == ["file.pth"]


def refused(server: Server, target: Path, page: Page, match: str, **known: Any) -> None:
    """Check that a page leads to one message with file, URL, reason and next step, and leaves no file."""
    server.pages["/file.pth"] = page
    with pytest.raises(ObtainError, match=match) as caught:
        fetch(target, server.url(), **known)
    for part in ("a checkpoint", "file.pth", server.url(), f"download it by hand to {target}"):
        assert part in str(caught.value)
    assert left(target) == []


def test_wrong_hash(server: Server, target: Path) -> None:
    other = hashlib.sha256(OTHER).hexdigest()
    refused(server, target, Page(OTHER), f"sha256 {other[:8]}, but {SHA256[:8]} is expected", sha256=SHA256[:8])
    assert len(server.requests) == 1


def test_short_file(server: Server, target: Path) -> None:
    page = Page(BODY[:-1000], etag=None, declared=len(BODY))
    refused(server, target, page, r"the connection was lost.*\(5 attempts\)")
    assert len(server.requests) == module.ATTEMPTS


def test_short_file_that_could_be_resumed(server: Server, target: Path) -> None:
    """The server always ends 1000 bytes early, and answers 416 to a request for them."""
    refusal = "416|lost"
    server.pages["/file.pth"] = Page(BODY[:-1000], declared=len(BODY))
    with pytest.raises(ObtainError, match=refusal):
        fetch(target, server.url())
    assert not target.exists()
    assert len(server.requests) <= 2 * module.ATTEMPTS


@pytest.mark.parametrize("length", [True, False])
def test_larger_than_expected_is_stopped(server: Server, target: Path, length: bool) -> None:
    page = Page(BODY, length=length, etag='"1"')
    refused(server, target, page, "bytes expected|instead of 1,000", size=1000, sha256=None)
    assert len(server.requests) == 1


def test_no_length_and_nothing_known(server: Server, target: Path) -> None:
    refused(server, target, Page(BODY, length=False), "does not state the file's length", size=None, sha256=None)
    fetch(target, server.url(), size=None)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_no_second_request_for_what_is_not_there(server: Server, target: Path, status: int) -> None:
    refused(server, target, Page(statuses=[status], forever=True), str(status))
    assert len(server.requests) == 1


def test_404_removes_the_part(server: Server, target: Path) -> None:
    interrupted(server, target)
    refused(server, target, Page(statuses=[404], forever=True), "404 Not Found")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_in_trouble_recovers(server: Server, target: Path, waits: list[float], status: int) -> None:
    server.pages["/file.pth"] = Page(BODY, statuses=[status] * 3)
    fetch(target, server.url())
    assert target.read_bytes() == BODY
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("100000", module.LONGEST_WAIT), ("soon", 1)])
def test_retry_after(server: Server, target: Path, waits: list[float], header: str, wait: float) -> None:
    server.pages["/file.pth"] = Page(BODY, statuses=[429], headers={"Retry-After": header})
    fetch(target, server.url())
    assert waits == [wait]


def test_500_forever(server: Server, target: Path, waits: list[float]) -> None:
    refused(server, target, Page(statuses=[500], forever=True), r"500 Internal Server Error \(5 attempts\)")
    assert len(server.requests) == module.ATTEMPTS
    assert waits == [1, 2, 4, 8]


def test_a_server_that_falls_silent(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", (1, 0.1))
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    refused(server, target, Page(BODY, pause=0.5, etag=None), r"timed out.*\(2 attempts\)")


def test_no_server(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ObtainError, match=r"no response.*refused.*\(5 attempts\)"):
        fetch(target, f"http://127.0.0.1:{port}/file.pth")
    assert left(target) == []


def test_redirects(server: Server, target: Path) -> None:
    server.pages["/a"] = Page(statuses=[302], forever=True, headers={"Location": "/file.pth"})
    server.pages["/file.pth"] = Page(BODY, cuts=[1000])
    fetch(target, server.url("/a"))
    assert target.read_bytes() == BODY
    assert ranges(server) == [None, None, "bytes=1000-", "bytes=1000-"]


def test_redirect_loop(server: Server, target: Path) -> None:
    page = Page(statuses=[302], forever=True, headers={"Location": "/file.pth"})
    refused(server, target, page, "redirects more than 10 times")
    assert len(server.requests) == module.MAX_REDIRECTS + 1


def test_other_schemes(server: Server, target: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    with pytest.raises(ObtainError, match="not an http or https address"):
        fetch(target, secret.as_uri())
    refused(server, target, Page(statuses=[302], forever=True, headers={"Location": secret.as_uri()}), "file://")


def test_web_page(server: Server, target: Path) -> None:
    page = Page(b"<html>Log in", content_type="text/html; charset=utf-8")
    refused(server, target, page, "a web page, not the file", size=None, sha256=None)
    assert fetch(target.with_suffix(".html"), server.url(), size=None, sha256=None).size == 12


@pytest.mark.parametrize("page", [{"content_type": "text/html"}, {"statuses": [403]}])
def test_a_part_outlives_a_page_to_log_in(server: Server, target: Path, page: dict[str, Any]) -> None:
    interrupted(server, target)
    server.pages["/file.pth"] = Page(BODY, **page)
    with pytest.raises(ObtainError, match=r"web page|403"):
        fetch(target, server.url())
    server.pages["/file.pth"] = Page(BODY)
    fetch(target, server.url())
    assert server.requests[-1].status == 206


def test_mirrors_are_tried_in_order(server: Server, target: Path) -> None:
    server.pages["/b"] = Page(OTHER)
    server.pages["/c"] = Page(BODY)
    server.pages["/d"] = Page(BODY)
    assert fetch(target, *map(server.url, ("/a", "/b", "/c", "/d"))).url == server.url("/c")
    assert [request.path for request in server.requests] == ["/a", "/b", "/c"]
    assert left(target) == ["file.pth"]


def test_a_part_is_not_glued_to_a_mirror(server: Server, target: Path) -> None:
    """The two have the same ETag and no sha256 is known: only the URL distinguishes them."""
    interrupted(server, target).statuses = [404]
    server.pages["/b"] = Page(OTHER)
    fetch(target, server.url(), server.url("/b"), sha256=None)
    assert target.read_bytes() == OTHER
    assert ranges(server)[1:] == [None]


def test_a_mirror_without_the_file_leaves_the_part(server: Server, target: Path) -> None:
    interrupted(server, target).statuses = [503] * module.ATTEMPTS
    with pytest.raises(ObtainError, match=r"503[^\n]*\n.*404 Not Found\n  run again"):
        fetch(target, server.url(), server.url("/b"))
    fetch(target, server.url())
    assert server.sent == len(BODY) - len(BODY) // 2


def test_no_url(target: Path) -> None:
    with pytest.raises(ObtainError, match="no URL is known"):
        fetch(target)


def test_disk_without_room(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.pages["/file.pth"] = Page(BODY)
    usage = shutil.disk_usage(target.parent.parent)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ObtainError, match=f"1,000,003 bytes are needed, 999 are free in {target.parent}"):
        fetch(target, server.url())
    assert left(target) == []


@pytest.mark.parametrize("after", [500_000, len(BODY)])
def test_full_disk(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    server.pages["/file.pth"] = Page(BODY)
    hashing = module._hash

    def full(path: Path) -> Any:
        """Hash the written bytes until the disk is full: each piece is hashed right after it is written."""
        return Full(hashing(path))

    class Full:
        def __init__(self, digest: Any) -> None:
            self.digest, self.done = digest, 0

        def update(self, data: bytes) -> None:
            self.done += len(data)
            if self.done >= after:
                raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_hash", full)
    with pytest.raises(ObtainError, match=f"the disk is full, 1,000,003 bytes are needed in {target.parent}"):
        fetch(target, server.url())
    assert left(target) == []


def fetch_in_process(url: str, target: Path, start: Any, found: Any) -> None:
    start.wait()
    found.put(fetch(target, url).url)


def test_two_processes_at_once(server: Server, target: Path) -> None:
    server.pages["/file.pth"] = Page(BODY, pause=0.3)
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(2), context.Queue()
    processes = [context.Process(target=fetch_in_process, args=(server.url(), target, start, found)) for _ in range(2)]
    for process in processes:
        process.start()
    assert {found.get(timeout=15), found.get(timeout=15)} == {server.url(), None}
    for process in processes:
        process.join()
    assert target.read_bytes() == BODY
    assert ranges(server) == [None]
    assert left(target) == ["file.pth"]


def test_proxy(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://files.invalid/file.pth"
    with serving(proxy=True) as proxy, serving() as direct:
        proxy.pages[url] = Page(BODY, cuts=[1000])
        direct.pages["/file.pth"] = Page(BODY)
        monkeypatch.setenv("HTTP_PROXY", proxy.url("/"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        fetch(target, url)
        assert [(request.path, request.range) for request in proxy.requests] == [(url, None), (url, "bytes=1000-")]
        fetch(target.with_name("direct.pth"), direct.url())
        assert len(proxy.requests) == 2


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("HARNESS_CACHE")
    assert cache_folder() == platformdirs.user_cache_path() / "pose-harness"
