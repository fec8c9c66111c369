"""Google Cloud Storage on loopback: fake-gcs-server, and what it lacks of the XML interface.

obstore writes and deletes with the XML interface; fake-gcs-server only reads with it. The
translator passes these requests on as those of the JSON interface, whose conditions are the same,
and puts the parts of an upload together, which is like S3's.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from tests.support.loopback import serving_on_loopback

MISSING, REFUSED = 404, 412


class _Translator(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_port: int
    uploads: dict[str, dict[int, bytes]]
    """The parts of unfinished uploads, by number."""

    def do_GET(self) -> None:
        bucket, name = self._names()
        self._pass_on("GET", f"/{bucket}/{quote(name)}", {"Host": "storage.googleapis.com"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        body, asked = self._body(), self._parameters()
        if "uploadId" in asked:
            self.uploads[asked["uploadId"]][int(asked["partNumber"])] = body
            self._answer(200, {"ETag": f'"{md5(body).hexdigest()}"'})
        else:
            self._write(body)

    def do_POST(self) -> None:
        """Begins or completes an upload in parts."""
        body, asked = self._body(), self._parameters()
        if "uploads" in asked:
            upload = secrets.token_hex(8)
            self.uploads[upload] = {}
            self._answer(200, {}, _xml("InitiateMultipartUploadResult", UploadId=upload))
            return
        parts = self.uploads.pop(asked["uploadId"])
        listed = re.findall("<PartNumber>([0-9]+)</PartNumber>", body.decode())
        data = b"".join(parts[int(number)] for number in listed)
        self._write(data, _xml("CompleteMultipartUploadResult", ETag=md5(data).hexdigest()))

    def _write(self, body: bytes, content: bytes = b"") -> None:
        bucket, name = self._names()
        asked = {"uploadType": "media", "name": name, **self._condition()}
        target = f"/upload/storage/v1/b/{bucket}/o?{urlencode(asked)}"
        headers = {"Content-Type": "application/octet-stream"}
        self._pass_on("POST", target, headers, body, content)

    def do_DELETE(self) -> None:
        if upload := self._parameters().get("uploadId"):
            self.uploads.pop(upload, None)
            self._answer(204, {})
            return
        bucket, name = self._names()
        self._pass_on("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {})

    def _names(self) -> tuple[str, str]:
        bucket, _, name = self.path.lstrip("/").partition("?")[0].partition("/")
        return bucket, unquote(name)

    def _parameters(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _condition(self) -> dict[str, str]:
        expected = self.headers.get("x-goog-if-generation-match")
        return {} if expected is None else {"ifGenerationMatch": expected}

    def _pass_on(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes = b"",
        content: bytes = b"",
    ) -> None:
        """`content`: the content of the answer to a successful POST."""
        upstream = HTTPConnection("127.0.0.1", self.server_port)
        upstream.request(method, target, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        more = {n: v for n, v in answer.getheaders() if n.lower() in _KEPT}
        if method == "POST" and answer.status == 200:
            made = json.loads(data)
            more |= {"ETag": f'"{made["etag"]}"', "x-goog-generation": str(made["generation"])}
            data = content
        upstream.close()
        self._answer(answer.status, more, data)

    def _answer(self, status: int, headers: dict[str, str], data: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _xml(name: str, **members: str) -> bytes:
    inner = "".join(f"<{member}>{value}</{member}>" for member, value in members.items())
    return f"<{name}><Bucket/><Key/>{inner}</{name}>".encode()


_KEPT = {"etag", "x-goog-generation", "last-modified", "content-type"}


@contextmanager
def translator(port: int) -> Iterator[int]:
    """Runs the translator for a fake-gcs-server on `port`; yields its own port."""
    handler = type("Translator", (_Translator,), {"server_port": port, "uploads": {}})
    with serving_on_loopback(handler) as own:
        yield own
