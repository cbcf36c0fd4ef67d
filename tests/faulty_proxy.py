"""A proxy that does what networks and busy servers do: errors, slowness, connections that end too soon."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass
class Faults:
    """Shares of requests to which something happens, and how often it did."""

    error: float = 0.0
    """Answered with 500, and not passed on."""
    drop: float = 0.0
    """The answer ends in its middle."""
    slow: float = 0.0
    """The answer comes half a second late."""
    happened: dict[str, int] = field(default_factory=lambda: {"error": 0, "drop": 0, "slow": 0})


@contextmanager
def faulty(endpoint: str, faults: Faults) -> Iterator[str]:
    """Give the URL of a proxy before `endpoint`; `faults` may be changed while it runs."""
    target = urlsplit(endpoint)
    draw, lock = random.Random(1), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self._body()
            with lock:
                luck = {name: draw.random() < getattr(faults, name) for name in faults.happened}
                for name, unlucky in luck.items():
                    faults.happened[name] += unlucky
            if luck["slow"]:
                time.sleep(0.5)
            if luck["error"]:
                self._answer(500, [("Content-Type", "text/plain")], b"busy")
                return
            connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
            reply = connection.getresponse()
            content = reply.read()
            kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in _HOP]
            length = reply.getheader("Content-Length") if self.command == "HEAD" else None
            connection.close()
            self._answer(reply.status, kept, content, length=length, cut=luck["drop"] and len(content) > 1)

        def _answer(
            self, status: int, headers: list[tuple[str, str]], content: bytes, *, length: str | None = None,
            cut: bool = False,
        ) -> None:  # fmt: skip
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if cut else content)
            if cut:
                self.wfile.flush()
                self.close_connection = True

        def _body(self) -> bytes:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.send_response_only(100)
                self.end_headers()
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass_on)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Who was dropped hangs up: no news here."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
