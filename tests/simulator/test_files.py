"""Files over plain HTTP: upload, attach, list, and the two steps of a download."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest


@pytest.fixture
def client(slow_simulator):
    with slow_simulator.v3() as client:
        yield client


def upload(client, name="notes.csv", content=b"a,b\n1,2\n"):
    answer = client.post("/attachments", files={"file": (name, content)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fetch(client, url):
    """Both steps of a download; the second without the key."""
    step = client.get(url, follow_redirects=False)
    assert step.status_code == 307
    return httpx.get(step.headers["location"], trust_env=False)


def test_an_upload_returns_its_id_name_and_url(client, slow_simulator):
    made = upload(client)
    assert set(made) == {"attachment_id", "name", "url"}
    assert made["name"] == "notes.csv"
    assert made["url"].startswith(f"{slow_simulator.url}/v3/organizations/org-simulator/attachments/")


def test_a_download_is_a_redirect_to_a_path_that_takes_no_key(client):
    answer = fetch(client, upload(client)["url"])
    assert (answer.status_code, answer.content) == (200, b"a,b\n1,2\n")
    assert answer.headers["content-type"].startswith("text/csv")


def test_the_second_step_needs_its_signature_and_expires(client, slow_simulator):
    location = client.get(upload(client)["url"], follow_redirects=False).headers["location"]
    unsigned = location.replace("signature=", "signature=0")
    assert httpx.get(unsigned, trust_env=False).status_code == 403
    slow_simulator.clock(7200)
    assert httpx.get(location, trust_env=False).status_code == 403


def test_a_file_that_was_forgotten_since_its_address_was_signed_is_not_found(client, slow_simulator):
    location = client.get(upload(client)["url"], follow_redirects=False).headers["location"]
    slow_simulator.reset()
    assert httpx.get(location, trust_env=False).status_code == 404


@pytest.mark.parametrize("name", ["ü b.csv", "../../etc/passwd", "a?b#c%2F.txt", "x" * 200, "line\nbreak.txt"])
def test_any_file_name_comes_back(client, name):
    made = upload(client, name)
    assert urlsplit(made["url"]).path.count("/") == 6
    assert fetch(client, made["url"]).content == b"a,b\n1,2\n"


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 100_000])
def test_any_bytes_come_back(client, content):
    assert fetch(client, upload(client, "data.bin", content)["url"]).content == content


def test_an_upload_without_a_file_is_invalid(client):
    for body in ({"data": {"file": "text"}}, {"json": {"file": "text"}}, {"content": b"x"}):
        answer = client.post("/attachments", **body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][0] == "body"


def test_an_unknown_file_is_not_found(client):
    assert client.get("/attachments/nobody/nothing.txt").status_code == 404


def test_a_session_lists_its_attachments_and_after_the_turn_the_files_of_devin(client, slow_simulator):
    given = upload(client)
    body = {"prompt": "Read it", "attachment_urls": [given["url"], "https://example.com/plan.pdf"]}
    session = client.post("/sessions", json=body).json()
    path = f"/sessions/devin-{session['session_id']}/attachments"
    before = client.get(path).json()
    assert [(item["name"], item["source"]) for item in before] == [("notes.csv", "user"), ("plan.pdf", "user")]
    slow_simulator.clock(240)
    after = client.get(path).json()
    assert after[:2] == before
    assert [(item["name"], item["source"]) for item in after[2:]] == [("report.md", "devin"), ("results.csv", "devin")]
    assert fetch(client, after[3]["url"]).text.startswith("file,line,severity,remark\n")
    assert session["title"] in fetch(client, after[2]["url"]).text


def test_a_message_brings_files_and_a_further_turn_makes_further_ones(client, slow_simulator):
    session = client.post("/sessions", json={"prompt": "Read it"}).json()
    path = f"/sessions/devin-{session['session_id']}"
    slow_simulator.clock(240)
    first = fetch(client, client.get(path + "/attachments").json()[1]["url"]).text
    client.post(path + "/messages", json={"message": "This too", "attachment_urls": [upload(client)["url"]]})
    slow_simulator.clock(240)
    items = client.get(path + "/attachments").json()
    assert [item["name"] for item in items] == ["notes.csv", "report.md", "results.csv", "report.md", "results.csv"]
    assert len({item["attachment_id"] for item in items}) == 5
    assert fetch(client, items[2]["url"]).text == first
    assert fetch(client, items[4]["url"]).text != first


def test_equal_seeds_make_equal_files(simulator_with):
    found = []
    for _ in range(2):
        simulator = simulator_with(speed=1.0)
        with simulator.v3() as client:
            session = client.post("/sessions", json={"prompt": "Read it", "repos": ["acme/api"]}).json()
            simulator.clock(240)
            items = client.get(f"/sessions/{session['session_id']}/attachments").json()
            found.append([(item["attachment_id"], fetch(client, item["url"]).content) for item in items])
    assert found[0] == found[1]
