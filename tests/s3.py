"""A real S3 server on loopback, which programs find as they find any other: by environment variables."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "s3://bmx"


@contextmanager
def serve_s3() -> Iterator[str]:
    """Give the URL of an empty bucket for as long as the block lasts; child processes find it, too."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request otherwise
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        files().clear_instance_cache()  # one that was made for another server
        files().mkdir(BUCKET)
        yield BUCKET
        # The server keeps its buckets in this process: the next one must begin empty.
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    server.stop()


def files() -> fsspec.AbstractFileSystem:
    """The server as a file system."""
    return fsspec.filesystem("s3")


def upload(folder: Path, url: str) -> None:
    """Put all files of a folder below a URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files().pipe_file(f"{url}/{path.relative_to(folder)}", path.read_bytes())


def objects(url: str) -> dict[str, bytes]:
    """Everything below a URL, by name."""
    files().invalidate_cache()
    root = url.removeprefix("s3://")
    return {path.removeprefix(f"{root}/"): files().cat_file(path) for path in files().find(root)}
