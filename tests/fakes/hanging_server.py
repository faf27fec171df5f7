"""A server that takes every connection and never finishes an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

HALF_AN_OBJECT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
HALF_A_BLOB = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\nContent-Range: bytes 0-999/1000\r\n"
    b'ETag: "0x8D"\r\nLast-Modified: Sun, 22 Nov 2026 08:49:37 GMT\r\nx-ms-blob-type: BlockBlob\r\n\r\n{'
)


@dataclass
class HangingServer:
    """``answer`` is sent at once, then nothing more; each connection's request is kept."""

    answer: bytes
    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def hanging_server(answer: bytes = b"") -> Iterator[HangingServer]:
    """Run the server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = HangingServer(answer=answer, port=listening.getsockname()[1])
        open_connections: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                open_connections.append(connection)
                server.requests.append(connection.recv(65536).decode(errors="replace"))
                connection.sendall(server.answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)
            for connection in open_connections:
                connection.close()
