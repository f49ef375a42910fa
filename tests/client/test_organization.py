"""Whose organization a key works in, when nobody said."""

import asyncio

import httpx
import pytest
from clients import KEY

from devin_jupyter.config import resolve_settings
from devin_jupyter.errors import NoOrganization, Unauthorized


@pytest.fixture
def asked_for(answering, tmp_path):
    """Return a service without an organization: `asked_for(self_answer, organizations)`; notes the paths."""

    def make(principal, organizations=None):
        paths = []

        def handler(request):
            paths.append(request.url.path)
            if request.url.path == "/v3/self":
                return httpx.Response(200, json=principal) if isinstance(principal, dict) else principal
            if organizations is None:
                return httpx.Response(403, json={"detail": "no"})
            return httpx.Response(200, json={"items": [{"org_id": name} for name in organizations]})

        service = answering(handler, org_id=None, home=tmp_path / "home")
        service.paths = paths
        return service

    return make


async def test_the_key_tells_it_and_it_is_remembered(asked_for):
    service = asked_for({"principal_type": "service_user", "org_id": "org-mine"})

    assert await service.org_id() == "org-mine"
    assert service.settings.org_source == "the service"
    assert resolve_settings(KEY).org_id == "org-mine"


async def test_many_calls_at_once_ask_once(asked_for):
    service = asked_for({"org_id": "org-mine"})

    assert set(await asyncio.gather(*(service.org_id() for _ in range(20)))) == {"org-mine"}
    assert service.paths == ["/v3/self"]


async def test_the_only_organization_of_an_enterprise_is_meant(asked_for):
    service = asked_for({"org_id": None}, ["org-only"])

    assert await service.org_id() == "org-only"


@pytest.mark.parametrize("organizations", [None, [], ["org-a", "org-b"]])
async def test_otherwise_somebody_has_to_say(asked_for, organizations):
    service = asked_for({"org_id": None}, organizations)

    with pytest.raises(NoOrganization, match="DEVIN_ORG_ID") as problem:
        await service.org_id()
    assert len(problem.value.lines) == 3
    if organizations:
        assert "org-a, org-b" in str(problem.value)


async def test_the_first_page_of_organizations_is_not_taken_for_all(answering, tmp_path):
    def handler(request):
        if request.url.path == "/v3/self":
            return httpx.Response(200, json={"org_id": None})
        if "after" in request.url.params:
            return httpx.Response(200, json={"items": [{"org_id": "org-b"}]})
        page = {"items": [{"org_id": "org-a"}], "has_next_page": True, "end_cursor": "1"}
        return httpx.Response(200, json=page)

    with pytest.raises(NoOrganization, match="org-a, org-b"):
        await answering(handler, org_id=None, home=tmp_path / "home").org_id()


async def test_a_bad_key_is_told_as_such(asked_for):
    service = asked_for(httpx.Response(401, json={"detail": "bad key"}))

    with pytest.raises(Unauthorized):
        await service.call("sessions.list")


def test_an_enterprise_key_works_on_the_simulator(simulator_with):
    from devin_jupyter import Devin

    simulator = simulator_with(api_key="cog_enterprise_0123456789")
    client = Devin(simulator.api_key, base_url=simulator.url)

    assert list(client.sessions.list()) == []
    assert client.settings.org_id == simulator.org_id
    client.close()
