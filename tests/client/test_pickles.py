"""Handles, batches, clients and settings in pickles: ids and places, never a key."""

import copy
import pickle
import subprocess
import sys

import pytest

import devin_jupyter as dj
from devin_jupyter import AsyncDevin, Devin
from devin_jupyter.config import Settings

KEY, PAT = "cog_0123456789abcdefghij", "cog_pat_0123456789abcdef"


@pytest.fixture
def client(simulator, monkeypatch):
    monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
    monkeypatch.setenv("DEVIN_API_URL", simulator.url)
    return dj.connect(simulator.api_key, base_url=simulator.url)


async def test_every_handle_pickles_and_copies_as_its_id(simulator, client):
    session = client.create("do it").wait(30)
    async with AsyncDevin(simulator.api_key, base_url=simulator.url) as devin:
        handle = await devin.get(session.id)
        for one in (session, handle):
            text = pickle.dumps(one)
            assert session.id.encode() in text
            assert b"simulator" not in text.replace(b"devin_jupyter", b"")
            assert pickle.loads(text).id == session.id
            assert copy.copy(one) is copy.deepcopy(one) is one
            assert copy.deepcopy({"of": [one]})["of"][0] is one


def test_a_batch_pickles_and_copies_as_its_name(client):
    batch = client.map("Say {{ row.word }}", [{"word": "hello"}, {"word": "bye"}], name="words", max_acu=5)
    batch.wait(60)
    text = pickle.dumps(batch)

    assert len(text) < 100
    again = pickle.loads(text)
    assert (again.name, again.phase_counts) == ("words", batch.phase_counts)
    assert copy.copy(batch) is copy.deepcopy(batch) is batch


def test_another_process_opens_the_session_with_its_own_key(client, simulator, tmp_path):
    session = client.create("do it").wait(30)
    (tmp_path / "handle.pkl").write_bytes(pickle.dumps({"audit": session}))
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb'))['audit'].result(10))"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "handle.pkl")], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == session.result()


@pytest.mark.parametrize("kind", [Devin, AsyncDevin])
def test_a_client_in_a_pickle_holds_no_key_and_finds_one_again(kind, monkeypatch, simulator):
    monkeypatch.setenv("DEVIN_API_KEY", "cog_from_the_environment_1")
    client = kind(KEY, org_id="org-x", base_url=simulator.url)
    text = pickle.dumps(client)

    assert KEY.encode() not in text
    again = pickle.loads(text)
    assert type(again) is kind
    assert (again.settings.org_id, again.settings.base_url) == ("org-x", simulator.url)
    assert again.settings.api_key == "cog_from_the_environment_1"
    assert copy.copy(client) is copy.deepcopy(client) is client
    monkeypatch.delenv("DEVIN_API_KEY")
    with pytest.raises(dj.NoKey):
        pickle.loads(text)


def test_settings_and_what_holds_them_pickle_without_a_key(simulator):
    settings = Settings(api_key=KEY, pat=PAT, org_id="org-x", profile="work")
    text = pickle.dumps(settings)

    assert KEY.encode() not in text
    assert PAT.encode() not in text
    again = pickle.loads(text)
    assert (again.api_key, again.pat, again.org_id, again.profile) == ("", "", "org-x", "work")
    assert copy.deepcopy(settings) is settings
    with Devin(KEY, org_id="org-x", base_url=simulator.url) as client:
        for part in (client.sessions, client.core, client.core.transport, client.core.service):
            with pytest.raises(TypeError):  # locks, connections
                pickle.dumps(part)
