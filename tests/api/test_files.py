"""Files to and from a session: names that cannot harm, nothing overwritten, nothing fetched twice for nothing."""

import os

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devin_jupyter.api.files import Attachments, safe_name
from devin_jupyter.errors import ApiError, OptionError, Unsupported

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:\\x\\report.csv", "report.csv"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("a/b/", "file"),
        (".bashrc", "bashrc"),
        ("...hidden", "hidden"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("a\x00b\nc.txt", "abc.txt"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ('what?<is>"this"|*.txt', "what__is__this___.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("trailing. . ", "trailing"),
        ("Ångström.csv", "Ångström.csv"),
        ("A\u030angstrom.csv", "Ångstrom.csv"),
    ],
)
def test_names_are_made_safe(given_name, expected):
    assert safe_name(given_name) == expected


def test_a_long_name_keeps_its_suffix_and_fits_a_disk():
    name = safe_name("ü" * 400 + ".csv")

    assert name.endswith(".csv")
    assert len(name.encode()) <= 180


@given(st.text())
def test_no_name_leaves_its_folder(name):
    safe = safe_name(name)

    assert safe not in ("", ".", "..")
    assert not safe.startswith(".")
    assert "/" not in safe
    assert "\\" not in safe
    assert len(safe.encode()) <= 180


# --- downloads ----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(answering):
    """A service with these files: `files(("a.csv", b"1"), …)`."""

    def make(*listed, wrapped=False):
        entries = [
            {"attachment_id": f"id{number}", "name": name, "url": f"https://api.devin.ai/x/id{number}/{name}"}
            for number, (name, _) in enumerate(listed)
        ]
        content = {f"id{number}": body for number, (_, body) in enumerate(listed)}

        def handler(request):
            parts = request.url.raw_path.decode().split("/")
            if "signed" in parts:
                return httpx.Response(200, content=content[parts[-1]])
            if parts[-1] == "attachments":
                return httpx.Response(200, json={"items": entries} if wrapped else entries)
            return httpx.Response(307, headers={"location": f"https://files.example/signed/{parts[-2]}"})

        return Attachments(answering(handler))

    return make


async def test_files_land_in_a_folder_named_after_the_session(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    paths = await files(("a.csv", b"1"), ("../b.csv", b"2")).download(HEX)

    assert [path.as_posix() for path in paths] == [f"devin-{HEX}/a.csv", f"devin-{HEX}/b.csv"]
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]


@pytest.mark.parametrize("wrapped", [True, False])
async def test_fetching_again_changes_nothing(files, tmp_path, wrapped):
    source = files(("a.csv", b"1"), ("a.csv", b"2"), wrapped=wrapped)
    first = await source.download(HEX, tmp_path)
    stamps = [path.stat().st_mtime_ns for path in first]

    assert [path.name for path in first] == ["a.csv", "a (2).csv"]
    assert await source.download(HEX, tmp_path) == first
    assert [path.stat().st_mtime_ns for path in first] == stamps
    assert len(list(tmp_path.iterdir())) == 2


async def test_nothing_that_is_there_is_overwritten(files, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"mine")
    (tmp_path / "b.csv").mkdir()

    paths = await files(("a.csv", b"1"), ("b.csv", b"2")).download(HEX, tmp_path)

    assert [path.name for path in paths] == ["a (2).csv", "b (2).csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"mine"


async def test_a_link_is_not_written_through(files, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").symlink_to(outside)
    (folder / "b.csv").symlink_to(tmp_path / "nowhere")

    paths = await files(("a.csv", b"1"), ("b.csv", b"2")).download(HEX, folder)

    assert [path.name for path in paths] == ["a (2).csv", "b (2).csv"]
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("host", ["https://api.devin.ai", "https://app.devin.ai", "https://elsewhere.example"])
async def test_a_file_is_fetched_where_its_url_says_but_from_the_api_alone(answering, host):
    asked = []
    url = f"{host}/v3/organizations/org-x/attachments/9f1c/rows%20(1).csv?x=1"
    entry = {"attachment_id": "att-1", "name": "out.csv", "url": url}

    def handler(request):
        asked.append(str(request.url))
        return httpx.Response(200, content=b"1")

    attachments = Attachments(answering(handler))
    assert [await attachments.fetch(entry), await attachments.fetch(url)] == [b"1", b"1"]
    assert asked == ["https://api.devin.ai/v3/organizations/org-x/attachments/9f1c/rows%20%281%29.csv"] * 2


@pytest.mark.parametrize("url", [None, "https://signed.example/bucket/key?signature=1"])
async def test_an_entry_without_a_url_of_the_api_goes_by_its_id_and_name(answering, url):
    asked = []

    def handler(request):
        asked.append(request.url.path)
        return httpx.Response(200, content=b"1")

    await Attachments(answering(handler)).fetch({"attachment_id": "att-1", "name": "out.csv", "url": url})
    assert asked == ["/v3/organizations/org-x/attachments/att-1/out.csv"]


async def test_a_file_that_its_url_does_not_lead_to_goes_by_its_id_and_name(answering):
    entry = {"attachment_id": "att-1", "name": "b.csv", "url": "https://elsewhere.example/attachments/7/b.csv"}

    def handler(request):
        return httpx.Response(200, content=b"1") if "att-1" in request.url.path else httpx.Response(404)

    assert await Attachments(answering(handler)).fetch(entry) == b"1"


async def test_dot_names_are_sent_unchanged_and_stay_inside_the_folder(files, tmp_path):
    paths = await files(("..", b"1"), (".", b"2")).download(HEX, tmp_path)

    assert [(path.parent, path.read_bytes()) for path in paths] == [(tmp_path, b"1"), (tmp_path, b"2")]


async def test_a_folder_that_is_a_file_is_an_error(files, tmp_path):
    (tmp_path / "taken").write_text("mine")

    with pytest.raises(OptionError, match="cannot be written to"):
        await files(("a.csv", b"1")).download(HEX, tmp_path / "taken")


async def test_a_download_that_breaks_off_leaves_nothing_half_done(answering, tmp_path):
    listed = [{"attachment_id": "i", "name": "a.csv", "url": "x"}]
    attachments = Attachments(
        answering(
            lambda request: httpx.Response(200, json=listed) if "sessions" in request.url.path else httpx.Response(404)
        )
    )

    with pytest.raises(ApiError):
        await attachments.download(HEX, tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("answer", ['"https://x/u/a.csv"', "https://x/u/a.csv", ' "https://x/u/a.csv" '])
async def test_an_upload_on_v1_is_a_url_quoted_or_not(answering, answer):
    attachments = Attachments(answering(lambda request: httpx.Response(200, text=answer), "v1"))

    assert (await attachments.upload("a.csv", b"1"))["url"] == "https://x/u/a.csv"


async def test_an_upload_goes_out_as_multipart(answering):
    sent = []

    def handler(request):
        sent.append(request)
        return httpx.Response(200, json={"attachment_id": "i", "name": "a.csv", "url": "https://x/i/a.csv"})

    await Attachments(answering(handler)).upload("a.csv", b"one,two")

    assert sent[0].headers["content-type"].startswith("multipart/form-data")
    assert b'name="file"; filename="a.csv"' in sent[0].content
    assert b"one,two" in sent[0].content


@pytest.mark.parametrize("url", ["", "https://x/", "nonsense"])
async def test_what_is_no_upload_is_refused(answering, url):
    with pytest.raises(OptionError):
        await Attachments(answering(lambda request: pytest.fail("it was sent"))).fetch(url)


# --- on the simulator ---------------------------------------------------------------------------------------------


def test_a_file_goes_up_and_comes_back(either, version):
    uploaded = either.attachments.upload("rows.csv", b"a,b\n1,2\n")

    assert either.attachments.fetch(uploaded["url"]) == b"a,b\n1,2\n"


def test_a_session_has_its_files_and_reads_them_by_what_they_are(devin, tmp_path):
    session = devin.create("hello", attach=[("rows.csv", b"a,b\n1,2\n")], wait=30)

    sources = {entry["source"] for entry in session.attachments()}
    assert sources == {"devin", "user"}
    assert list(session.read("rows.csv").columns) == ["a", "b"]
    assert isinstance(session.read("report.md"), str)
    assert all(path.parent == tmp_path for path in session.download(tmp_path))
    with pytest.raises(OptionError, match="rows"):
        session.read("missing.csv")


def test_v1_cannot_list_files(devin_v1):
    with pytest.raises(Unsupported, match="v1 has no list of files"):
        devin_v1.create("hello").attachments()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b'{"x": 1}', {"x": 1}),
        ("a.txt", "ä".encode(), "ä"),
        ("a.bin", b"\x00", b"\x00"),
        ("noname", b"x", b"x"),
    ],
)
def test_a_file_is_read_by_its_suffix(name, content, expected):
    from devin_jupyter.frames.storage import read_file

    assert read_file(name, content) == expected


def test_tables_are_read_as_frames():
    from devin_jupyter.frames.storage import read_file

    assert read_file("a.TSV", b"a\tb\n1\t2\n").shape == (1, 2)
    assert read_file("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n')["a"].tolist() == [1, 2]
