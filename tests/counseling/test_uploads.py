"""Files as nobody should send them, through the very process that the server starts."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from counseling import cleaning
from counseling.uploads import MAX_BYTES, Cleaner, Refused

SCRIPT = b"<script>alert(1)</script>"


@pytest.fixture
def cleaner() -> Cleaner:
    return Cleaner()


def picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **how: object) -> bytes:
    """A picture, red on the left and blue on the right."""
    made = Image.new(mode, size, "red" if mode == "RGB" else None)
    made.paste("blue" if mode == "RGB" else 0, (size[0] // 2, 0, *size))
    out = io.BytesIO()
    made.save(out, kind, **how)
    return out.getvalue()


def with_gps() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "TelltaleCamera"
    exif.get_ifd(0x8825).update({1: "S", 2: (7.0, 0.0, 0.0), 3: "E", 4: (110.0, 25.0, 0.0)})
    return picture(exif=exif, comment=b"TelltaleComment")


def pdf(change: Callable[[Pdf], None] | None = None, jpeg: bytes | None = None) -> bytes:
    """A PDF of one page with a picture on it, and whatever ``change`` adds."""
    made = Pdf.new()
    made.add_blank_page(page_size=(200, 100))
    page = made.pages[0]
    image = Stream(made, jpeg or picture())
    image.update(
        Dictionary(
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=60,
            Height=40,
            ColorSpace=Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=Name.DCTDecode,
        )
    )
    page.obj.Resources = Dictionary(XObject=Dictionary(Im0=made.make_indirect(image)))
    page.obj.Contents = made.make_indirect(Stream(made, b"q 200 0 0 100 0 0 cm /Im0 Do Q"))
    if change is not None:
        change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def everything_bad(made: Pdf) -> None:
    """Scripts, actions, files and metadata wherever a PDF can hold them."""
    script = Dictionary(S=Name.JavaScript, JS="app.alert('Telltale')")
    made.Root.OpenAction = script
    made.Root.AA = Dictionary(WC=script)
    made.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["boo", script])))
    made.attachments["telltale.exe"] = b"MZ Telltale"
    with made.open_metadata() as xmp:
        xmp["dc:creator"] = ["TelltaleAuthor"]
    made.docinfo["/Author"] = "TelltaleAuthor"
    page = made.pages[0].obj
    page.AA = Dictionary(O=script)
    page.PieceInfo = Dictionary(Telltale=Dictionary(LastModified="Telltale"))
    page.Thumb = Stream(made, b"Telltale")
    look = made.make_indirect(Stream(made, b"0 0 10 10 re f", Type=Name.XObject, Subtype=Name.Form))
    look.Metadata = Stream(made, b"<x:xmpmeta>Telltale</x:xmpmeta>")
    field = made.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Tx,
            Rect=Array([0, 0, 10, 10]),
            AP=Dictionary(N=look),
            A=script,
            T="Telltale",
            Contents="Telltale",
        )
    )
    made.Root.AcroForm = Dictionary(Fields=Array([field]), XFA=Stream(made, b"<xdp>Telltale</xdp>"))
    page.Annots = Array(
        [
            Dictionary(Type=Name.Annot, Subtype=Name.Link, A=Dictionary(S=Name.URI, URI="http://telltale")),
            Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, FS=Dictionary(F="telltale.exe")),
            field,
        ]
    )


async def test_a_photo_loses_where_it_was_taken_and_stays_upright(cleaner: Cleaner) -> None:
    given = with_gps()
    assert b"TelltaleCamera" in given
    clean = await cleaner.clean(given)
    assert clean.content_type == "image/jpeg"
    assert b"Telltale" not in clean.data
    assert b"Exif" not in clean.data
    with Image.open(io.BytesIO(clean.data)) as made:
        assert dict(made.getexif()) == {}
        assert made.size == (40, 60)
        top, bottom = made.getpixel((20, 5)), made.getpixel((20, 55))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (top[0] > 200, bottom[2] > 200) == (True, True)  # red was left, and is on top once turned


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
async def test_every_kind_of_picture_comes_out(cleaner: Cleaner, mode: str) -> None:
    made = Image.new(mode, (8, 8))
    out = io.BytesIO()
    made.save(out, "JPEG" if mode == "CMYK" else "PNG")
    clean = await cleaner.clean(out.getvalue())
    with Image.open(io.BytesIO(clean.data)) as opened:
        assert opened.size == (8, 8)
        assert opened.mode in {"L", "RGB"}


async def test_texts_within_a_png_go(cleaner: Cleaner) -> None:
    text = b"Comment\0Telltale" + SCRIPT
    given = picture("PNG")
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    clean = await cleaner.clean(given[:33] + chunk + given[33:])
    assert clean.content_type == "image/png"
    assert b"Telltale" not in clean.data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PDF"])
async def test_a_file_that_is_two_at_once_is_only_one_afterwards(cleaner: Cleaner, kind: str) -> None:
    zipped = b"PK\x03\x04" + b"\0" * 22 + b"telltale.js"
    given = pdf() if kind == "PDF" else picture(kind)
    clean = await cleaner.clean(given + SCRIPT + zipped)
    assert SCRIPT not in clean.data
    assert b"PK\x03\x04" not in clean.data
    assert b"telltale" not in clean.data


@pytest.mark.parametrize(
    "given",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><svg/>",
        b"<!doctype html>" + SCRIPT,
        SCRIPT + b"%PDF-1.7",
        b"\n%PDF-1.7",
        b"GIF89a\x01\x00\x01\x00",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"II*\0\x08\0\0\0",
        b"BM\0\0",
        b"PK\x03\x04word/document.xml",
        b"MZ\x90\0",
        b"x",
    ],
)
async def test_nothing_else_is_taken_whatever_it_is_called(cleaner: Cleaner, given: bytes) -> None:
    with pytest.raises(Refused) as error:
        await cleaner.clean(given)
    assert error.value.key == "type"


@pytest.mark.parametrize(
    "given",
    [
        b"\xff\xd8\xff\xe0" + SCRIPT,
        b"\x89PNG\r\n\x1a\n" + SCRIPT,
        b"%PDF-1.7\n" + SCRIPT,
        picture("JPEG")[:300],
        picture("PNG")[:60],
        pdf()[:200],
    ],
)
async def test_what_only_begins_like_one_is_refused(cleaner: Cleaner, given: bytes) -> None:
    with pytest.raises(Refused) as error:
        await cleaner.clean(given)
    assert error.value.key in {"broken", "pages"}


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it is of this size, all of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


async def test_a_picture_that_unpacks_to_far_more_is_refused_unopened(cleaner: Cleaner) -> None:
    bomb = png_of(30_000, 30_000)
    assert len(bomb) < 1_000_000
    with pytest.raises(Refused) as error:
        await cleaner.clean(bomb)
    assert error.value.key == "pixels"


async def test_a_picture_just_within_the_limit_comes_out_smaller(cleaner: Cleaner) -> None:
    clean = await cleaner.clean(png_of(8_000, 8_000))
    with Image.open(io.BytesIO(clean.data)) as made:
        assert made.size == (cleaning.MAX_SIDE, cleaning.MAX_SIDE)


async def test_a_pdf_keeps_its_pages_and_nothing_else(cleaner: Cleaner) -> None:
    given = pdf(everything_bad, jpeg=with_gps())
    clean = await cleaner.clean(given)
    assert clean.content_type == "application/pdf"
    with Pdf.open(io.BytesIO(clean.data)) as made:
        out = io.BytesIO()
        made.save(
            out,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            stream_decode_level=pikepdf.StreamDecodeLevel.all,
        )
        assert set(made.Root.keys()) == {"/Type", "/Pages"}
        assert len(made.attachments) == 0
        assert dict(made.docinfo) == {}
        page = made.pages[0]
        assert list(page.obj.Resources.XObject.keys()) == ["/Im0"]
        (stamp,) = page.obj.Annots
        assert stamp.Subtype == Name.Stamp
        assert "/AP" in stamp
    for word in (b"Telltale", b"telltale", b"JavaScript", b"/JS", b"/AA", b"Exif", b"xmpmeta", b"/URI"):
        assert word not in out.getvalue(), word


async def test_a_pdf_still_shows_its_picture(cleaner: Cleaner) -> None:
    clean = await cleaner.clean(pdf(everything_bad, jpeg=with_gps()))
    with Pdf.open(io.BytesIO(clean.data)) as made:
        stream = made.pages[0].obj.Resources.XObject["/Im0"]
        assert isinstance(stream, Stream)
        image = pikepdf.PdfImage(stream).as_pil_image()
        assert image.size == (60, 40)
        assert b"/Im0 Do" in made.pages[0].Contents.read_bytes()


async def test_a_locked_pdf_says_so(cleaner: Cleaner) -> None:
    with Pdf.open(io.BytesIO(pdf())) as made:
        for user in ("secret", ""):
            out = io.BytesIO()
            made.save(out, encryption=pikepdf.Encryption(owner="owner", user=user))
            with pytest.raises(Refused) as error:
                await cleaner.clean(out.getvalue())
            assert error.value.key == "locked"


async def test_a_pdf_that_unpacks_to_far_more_is_refused(cleaner: Cleaner) -> None:
    def bomb(made: Pdf) -> None:
        packer = zlib.compressobj(9)
        packed = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(400)) + packer.flush()
        stream = made.make_indirect(Stream(made, packed))
        stream.write(packed, filter=Name.FlateDecode)
        made.pages[0].obj.Contents = stream

    given = pdf(bomb)
    assert len(given) < 1_000_000
    with pytest.raises(Refused) as error:
        await cleaner.clean(given)
    assert error.value.key == "bomb"


async def test_a_pdf_of_many_pages_is_refused(cleaner: Cleaner) -> None:
    def many(made: Pdf) -> None:
        for _ in range(cleaning.MAX_PAGES):
            made.add_blank_page()

    with pytest.raises(Refused) as error:
        await cleaner.clean(pdf(many))
    assert error.value.key == "pages"


async def test_size_is_asked_before_anything_is_read(cleaner: Cleaner) -> None:
    for given, key in ((b"", "empty"), (b"\xff" * (MAX_BYTES + 1), "size")):
        with pytest.raises(Refused) as error:
            await cleaner.clean(given)
        assert error.value.key == key


async def test_a_file_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(Refused) as error:
        await Cleaner(within_s=0.01).clean(picture())
    assert error.value.key == "slow"


async def test_noise_after_a_good_beginning_never_gets_through(cleaner: Cleaner) -> None:
    """Forty damaged files of each kind: each is refused, or comes out as what it claims to be."""
    chance = random.Random(7)
    for given in (picture("JPEG"), picture("PNG"), pdf(everything_bad)):
        for _ in range(40):
            damaged = bytearray(given)
            for _ in range(chance.randrange(1, 20)):
                damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
            try:
                kind, made = cleaning.clean(bytes(damaged))
            except cleaning.Refused:
                continue
            assert cleaning.clean(made)[0] == kind
            assert b"JavaScript" not in made


@pytest.mark.parametrize(
    "given",
    [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xe1\xff\xff", b"\xff\xd8\x00\x00\x00\x00", b"no"],
)
def test_a_jpeg_without_a_scan_is_no_jpeg(given: bytes) -> None:
    with pytest.raises(cleaning.Refused):
        cleaning.bare_jpeg(given)


def test_boxes_of_metadata_go_out_of_jpeg_2000() -> None:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(data), kind) + data

    keep = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 ") + box(b"jp2h", b"head") + box(b"jp2c", b"code")
    assert cleaning.bare_jpeg2000(box(b"xml ", b"Telltale") + keep + box(b"uuid", b"Telltale")) == keep
    assert cleaning.bare_jpeg2000(b"\xff\x4f\xff\x51rest") == b"\xff\x4f\xff\x51rest"
    for broken in (b"\0\0\0\4jP  ", b"\0\0"):
        with pytest.raises(cleaning.Refused):
            cleaning.bare_jpeg2000(broken)
