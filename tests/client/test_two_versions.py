"""One journal, first with a key of one API and then with one of the other: sessions are read by the key in use."""

import pytest

import devin_jupyter as dj


@pytest.fixture
def devins(simulator, tmp_path):
    def make(version):
        keys = {"v1": simulator.v1_key, "v3": simulator.api_key}
        org = None if version == "v1" else "org-simulator"
        return dj.Devin(keys[version], org_id=org, base_url=simulator.url)

    made = {version: make(version) for version in ("v1", "v3")}
    yield made
    for devin in made.values():
        devin.close()


@pytest.mark.parametrize(("before", "now"), [("v1", "v3"), ("v3", "v1")])
def test_what_is_done_for_one_key_is_done_for_the_other(devins, before, now):
    first = devins[before].create("count", schema="n:int")
    answer = first.result(30)

    second = devins[now].get(first.id)

    assert (second.phase, second.snapshot.api_version) == (dj.Phase.DONE, now)
    assert second.wait(300).result() == answer
    frame = devins[now].sessions_frame()
    assert frame.set_index("session_id").phase[first.id] == "done"
    assert not devins[now].outputs_frame().provisional.any()


def test_a_schema_to_read_an_answer_by_does_not_change_whether_it_is_one(devins):
    devin = devins["v3"]
    first = devin.create("count", schema="n:int")
    first.result(30)

    other = devin.get(first.id, schema="word:str")

    assert (first.phase, other.phase, first.refresh().phase) == (dj.Phase.DONE,) * 3
    with pytest.raises(dj.OutputInvalid):
        other.result()
    assert list(devin.sessions_frame().phase) == ["done"]
