"""Makes a proof harmless: finds out what it really is and writes it anew, page or picture and no more.

This file is also a program of its own: bytes in, one line of JSON and the clean bytes out. It runs in a
process with limits of memory and time (``counseling/uploads.py``), for it reads what strangers send, and
it imports nothing of ours. It owns Pillow and pikepdf.

A picture is decoded, turned upright and encoded again. Of a PDF only its pages are copied into a new
file, and of a page only what is needed to draw it: no scripts, actions, forms, links, attached files or
metadata, also not within its pictures.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, Final

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream
from PIL import Image, ImageOps

MAX_PIXELS: Final = 64_000_000
MAX_SIDE: Final = 4_096
MAX_PAGES: Final = 60
MAX_OBJECTS: Final = 20_000
MAX_UNPACKED_BYTES: Final = 300_000_000
MAX_OUT_BYTES: Final = 10_000_000
MEMORY_BYTES: Final = 1_200_000_000
CPU_S: Final = 20

PAGE_KEYS: Final = frozenset(
    {"/Type", "/Resources", "/MediaBox", "/CropBox", "/Rotate", "/Contents", "/Group", "/UserUnit"}
)
PICTURES: Final = frozenset({"/DCTDecode", "/JPXDecode", "/CCITTFaxDecode", "/JBIG2Decode"})
MARKS: Final = frozenset(
    {"/Stamp", "/Ink", "/FreeText", "/Highlight", "/Underline", "/Square", "/Circle", "/Line", "/Widget"}
)
"""Annotations that are seen on the page: stamps, signatures, fields that were filled in."""
MARK_KEYS: Final = frozenset({"/Type", "/Subtype", "/Rect", "/AP", "/AS", "/F"})
NEVER: Final = frozenset(
    {
        "/AA", "/AF", "/EF", "/JS", "/JavaScript", "/LastModified", "/Metadata", "/OPI", "/OpenAction",
        "/PieceInfo", "/Ref", "/RichMediaContent", "/Thumb", "/URI", "/XFA",
    }
)  # fmt: skip
"""Keys that go wherever they stand: actions, scripts, files, metadata."""


class Refused(Exception):
    """A file that is not taken; ``key`` says why: type, broken, pixels, locked, pages, bomb, size."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def clean(data: bytes) -> tuple[str, bytes]:
    """Write a file anew and say of which media type it is. Raises ``Refused``."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _picture(data, "JPEG")
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _picture(data, "PNG")
        if data.startswith(b"%PDF-"):
            return "application/pdf", _pdf(data)
    except Refused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("pixels") from None
    except pikepdf.PasswordError:
        raise Refused("locked") from None
    except MemoryError:
        raise Refused("bomb") from None
    except Exception:  # noqa: BLE001  # whatever a decoder of others says about a broken file
        raise Refused("broken") from None
    raise Refused("type")


def _picture(data: bytes, kind: str) -> tuple[str, bytes]:
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=(kind,)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Refused("pixels")
            opened.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a JPEG is then decoded smaller, not made smaller
            opened.load()
            picture: Image.Image = ImageOps.exif_transpose(opened)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        over = picture.convert("RGBA")
        picture = Image.new("RGB", over.size, "white")
        picture.paste(over, mask=over.getchannel("A"))
    picture = picture.convert("L" if picture.mode in {"1", "L"} else "RGB")
    picture.info = {}
    if kind == "PNG":
        made = _encoded(picture, "PNG")
        if len(made) <= MAX_OUT_BYTES:
            return "image/png", made
    for quality in (90, 75):
        made = _encoded(picture, "JPEG", quality=quality)
        if len(made) <= MAX_OUT_BYTES:
            return "image/jpeg", made
    raise Refused("size")


def _encoded(picture: Image.Image, kind: str, **how: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def _pdf(data: bytes) -> bytes:
    with Pdf.open(io.BytesIO(data), attempt_recovery=True) as given, Pdf.new() as made:
        if given.is_encrypted:
            raise Refused("locked")
        if not 0 < len(given.pages) <= MAX_PAGES:
            raise Refused("pages")
        if len(given.objects) > MAX_OBJECTS:
            raise Refused("bomb")
        for page in given.pages:
            _bare_page(page.obj)
        made.pages.extend(given.pages)
        _sweep(made)
        out = io.BytesIO()
        made.save(
            out,
            fix_metadata_version=False,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
        )
    if out.tell() > MAX_OUT_BYTES:
        raise Refused("size")
    return out.getvalue()


def _bare_page(page: Object) -> None:
    """Leave of a page what draws it. Inherited attributes were pushed down by ``pages``."""
    annotations = page.get("/Annots")
    for key in list(page.keys()):
        if key not in PAGE_KEYS and key != "/Parent":
            del page[key]
    if not isinstance(annotations, Array):
        return
    kept = []
    for one in annotations:
        if isinstance(one, Dictionary) and str(one.get("/Subtype")) in MARKS and "/AP" in one:
            for key in list(one.keys()):
                if key not in MARK_KEYS:
                    del one[key]
            if str(one.Subtype) == "/Widget":
                one.Subtype = Name.Stamp
            kept.append(one)
    if kept:
        page["/Annots"] = Array(kept)


def _sweep(made: Pdf) -> None:
    """Take out of every object what is never needed, and look into every stream."""
    left = MAX_UNPACKED_BYTES
    for one in made.objects:
        for table in _tables(one, depth=0):
            for key in list(table.keys()):
                if key in NEVER:
                    del table[key]
        if isinstance(one, Stream):
            left -= _unpacked(one, left)
            _bare_stream(one)


def _tables(one: Object, *, depth: int) -> Iterator[Object]:
    """Give a dictionary and those that stand directly in it."""
    if depth > 50:
        raise Refused("bomb")
    if isinstance(one, Dictionary | Stream):
        yield one
        inner: list[Any] = [value for _, value in one.items()]
    elif isinstance(one, Array):
        inner = list(one)
    else:
        return
    for value in inner:
        if isinstance(value, Object) and not value.is_indirect:
            yield from _tables(value, depth=depth + 1)


def _filters(stream: Stream) -> list[str]:
    given = stream.get("/Filter")
    if given is None:
        return []
    return [str(one) for one in given] if isinstance(given, Array) else [str(given)]


def _unpacked(stream: Stream, limit: int) -> int:
    """Count what a stream unpacks to. Raises ``Refused`` when it is more than ``limit``."""
    filters = _filters(stream)
    if not filters or PICTURES.intersection(filters):
        return 0
    if filters == ["/FlateDecode"]:
        return len(_inflate(bytes(stream.read_raw_bytes()), limit))
    count = len(stream.read_bytes())  # rare; the memory of this process is the limit
    if count > limit:
        raise Refused("bomb")
    return count


def _inflate(packed: bytes, limit: int) -> bytes:
    """Unpack at most ``limit`` bytes of zlib's format. Raises ``Refused`` for more."""
    unpacking, out = zlib.decompressobj(), b""
    with contextlib.suppress(zlib.error):  # a reader shows what there is of a broken one
        out = unpacking.decompress(packed, limit + 1)
    if len(out) > limit:
        raise Refused("bomb")
    return out


def _bare_stream(stream: Stream) -> None:
    """Take metadata out of a picture within a PDF, which stands there as the file it once was."""
    if stream.get("/F") is not None:
        raise Refused("broken")  # its content lies in another file
    filters = _filters(stream)
    if not PICTURES.intersection(filters):
        return
    data = bytes(stream.read_raw_bytes())
    if filters == ["/FlateDecode", "/DCTDecode"]:
        data = _inflate(data, MAX_OUT_BYTES)
    elif len(filters) > 1:
        raise Refused("broken")
    if filters[-1] == "/DCTDecode":
        how = stream.get("/DecodeParms")
        parms = how if isinstance(how, Dictionary) else None
        stream.write(bare_jpeg(data), filter=Name.DCTDecode, decode_parms=parms)
    elif filters[-1] == "/JPXDecode":
        stream.write(bare_jpeg2000(data), filter=Name.JPXDecode)


def bare_jpeg(data: bytes) -> bytes:
    """Leave application data and comments out of a JPEG (ITU-T T.81, B.1.1), but for Adobe's colours.

    Raises ``Refused`` for what is none.
    """
    if data[:2] != b"\xff\xd8":
        raise Refused("broken")
    out, at = bytearray(b"\xff\xd8"), 2
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise Refused("broken")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA:
            end = data.rfind(b"\xff\xd9")
            out += data[at:] if end < at else data[at : end + 2]
            return bytes(out)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or marker == 0xEE:
            out += data[at : at + 2 + length]
        at += 2 + length


def bare_jpeg2000(data: bytes) -> bytes:
    """Leave metadata boxes out of a JPEG 2000 file (ISO/IEC 15444-1, annex I); a bare codestream stays."""
    if data[:4] == b"\xff\x4f\xff\x51":
        return data
    out, at = bytearray(), 0
    while at < len(data):
        if at + 8 > len(data):
            raise Refused("broken")
        length, kind = struct.unpack_from(">I4s", data, at)
        if length == 1 and at + 16 <= len(data):
            length = struct.unpack_from(">Q", data, at + 8)[0]
        length = length or len(data) - at
        if length < 8:
            raise Refused("broken")
        if kind in {b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"rreq"}:
            out += data[at : at + length]
        at += length
    return bytes(out)


def confine() -> None:
    """Take from this process what it does not need."""
    os.nice(10)
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        with contextlib.suppress(ValueError, OSError):  # another system may know no such limit
            resource.setrlimit(what, (limit, limit))


def main() -> int:
    """Clean what comes in on standard input."""
    confine()
    body = b""
    try:
        kind, body = clean(sys.stdin.buffer.read())
        head = {"type": kind}
    except Refused as error:
        head = {"refused": error.key}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
