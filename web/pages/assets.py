"""Style sheets, modules and icons, held in memory, compressed once, named by their content.

Modules go out as they stand but for the lines that are nothing but comments, a third of their weight,
which people with prepaid data would pay for. The lines stay, empty, so that an error names the right one.

The address carries a digest of all files (`/static/<digest>/js/room/main.js`), so a browser keeps
them for ever and a new release is a new address; relative imports between modules stay inside it.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web as http

STATIC: Final = Path(__file__).parent.parent / "static"
TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, the same bytes gzipped, and its media type."""

    plain: bytes
    packed: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """Every file below `web/static`, by its path there."""

    files: dict[str, Asset]
    digest: str

    def url(self, path: str) -> str:
        """Return the address of `path`; raises KeyError for a file that does not exist."""
        if path not in self.files:
            raise KeyError(path)
        return f"/static/{self.digest}/{path}"

    def under(self, folder: str) -> list[str]:
        """Return the addresses of all files in `folder`, sorted."""
        return [self.url(path) for path in sorted(self.files) if path.startswith(f"{folder}/")]

    async def serve(self, request: http.Request) -> http.StreamResponse:
        """Answer `GET /static/{digest}/{path}`."""
        asset = self.files.get(request.match_info["path"])
        if asset is None or request.match_info["digest"] != self.digest:
            raise http.HTTPNotFound
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Vary": "Accept-Encoding",
        }
        if packed:
            headers["Content-Encoding"] = "gzip"
        return http.Response(
            body=asset.packed if packed else asset.plain,
            content_type=asset.content_type,
            charset="utf-8" if asset.content_type.startswith("text/") else None,
            headers=headers,
        )


@cache
def read_assets(root: Path = STATIC) -> Assets:
    """Read and compress every file below `root` whose type is known, once: none changes while this runs."""
    files: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        content_type = TYPES.get(path.suffix)
        if content_type is None or not path.is_file():
            continue
        plain = path.read_bytes()
        if path.suffix == ".js":
            plain = without_comments(plain.decode()).encode()
        name = path.relative_to(root).as_posix()
        digest.update(f"{name}\0{len(plain)}\0".encode() + plain)
        files[name] = Asset(plain, gzip.compress(plain, 9, mtime=0), content_type)
    return Assets(files, digest.hexdigest()[:12])


def without_comments(script: str) -> str:
    """Empty the lines of a script that are nothing but a comment.

    Our modules have no line inside a string or a template that looks like one; a test asks the compiler.
    """
    kept, inside = [], False
    for line in script.split("\n"):
        text = line.strip()
        begins = inside or text.startswith("/*")
        ends = begins and text.endswith("*/")
        is_comment = begins and (ends or "*/" not in text)
        inside = is_comment and not ends
        kept.append("" if is_comment or text.startswith("//") else line)
    return "\n".join(kept)
