"""An HTTP proxy before the storage emulator that remembers what went through it, and may refuse to pass anything on."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Passed:
    """What went through: each request's method, path and status, with the bytes of the answer's body."""

    port: int = 0
    requests: list[tuple[str, str, int, int]] = field(default_factory=list)
    refusing: int = 0
    """With a status here every request is answered with it."""

    def forget(self) -> None:
        """Start counting anew."""
        self.requests.clear()


@contextmanager
def counting_proxy(upstream_port: int) -> Iterator[Passed]:
    """Run a proxy before ``upstream_port`` on a free port."""
    passed = Passed()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, answer = (passed.refusing, [], b"") if passed.refusing else self._asked(body)
            passed.requests.append((self.command, urlsplit(self.path).path, status, len(answer)))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            upstream = http.client.HTTPConnection("127.0.0.1", upstream_port)
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            return answer.status, kept, content

        do_GET = do_PUT = do_HEAD = do_DELETE = _pass  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    passed.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield passed
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
