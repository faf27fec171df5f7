"""A Prometheus server that answers ``query_range`` from a function, or misbehaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MOST_POINTS = 11_000
Answer = Callable[[float], str | None]


@dataclass
class FakePrometheus:
    """What it answers: ``value_at`` for each instant (None: no sample), in ``series`` series."""

    value_at: Answer = lambda _: "1"
    series: int = 1
    status: int = 200
    raw: bytes | None = None
    resets: bool = False
    endpoint: str = ""
    asked: list[dict[str, float]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def answer(self, body: str) -> tuple[int, bytes]:
        """Return status and body for a form-encoded range query."""
        form = parse_qs(body)
        asked = {name: float(form[name][0]) for name in ("start", "end", "step")}
        self.asked.append(asked)
        if self.raw is not None or self.status != 200:
            return self.status, self.raw or b'{"status":"error","error":"parse error at char 5"}'
        points = int((asked["end"] - asked["start"]) // asked["step"]) + 1
        if points > MOST_POINTS:
            return 400, b'{"status":"error","error":"exceeded maximum resolution of 11,000 points per timeseries"}'
        instants = [asked["start"] + number * asked["step"] for number in range(points)]
        samples = [(instant, self.value_at(instant)) for instant in instants]
        values = [[instant, value] for instant, value in samples if value is not None]
        result = [{"metric": {"n": str(number)}, "values": values} for number in range(self.series)] if values else []
        data: dict[str, Any] = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return 200, json.dumps(data).encode()


@contextmanager
def fake_prometheus() -> Iterator[FakePrometheus]:
    """Run the server on a free port."""
    fake = FakePrometheus()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.tokens.append(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = fake.answer(body)
            if fake.resets:
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A reset is meant."""

    server = Quiet(("127.0.0.1", 0), Handler)
    fake.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
