"""The blocking client is the asynchronous one, written once: what is still written twice, and the registers, agree."""

import inspect
from operator import attrgetter

import pytest

import devin_jupyter as dj
from devin_jupyter import AsyncDevin, Devin, Session
from devin_jupyter.api.client import OPERATIONS
from devin_jupyter.client import sync
from devin_jupyter.config import Settings
from devin_jupyter.loop import Blocking

NAMESPACES = sorted(
    name
    for name, kind in vars(sync).items()
    if isinstance(kind, type) and issubclass(kind, Blocking) and kind not in (Blocking, Devin, Session)
)
WRITTEN_TWICE = ["__init__", "create", "map", "wait", "result"]
"""Methods of `Devin` with a body of their own: they say something else on Ctrl-C, or call the handle."""


@pytest.fixture
def settings(tmp_path):
    return Settings(api_key="cog_" + "x" * 20, org_id="org-x", home=tmp_path)


@pytest.fixture
def both(settings):
    return Devin(settings=settings), AsyncDevin(settings=settings)


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def test_the_two_clients_have_the_same_names(both):
    blocking, asynchronous = both

    assert public(blocking) ^ public(asynchronous) == {
        "asynchronous",
        "aclose",
    }  # the way there; what `async with` calls


def shape(method):
    """Names, kinds and defaults of the parameters."""
    parameters = inspect.signature(method).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


@pytest.mark.parametrize("name", WRITTEN_TWICE)
def test_what_is_written_twice_agrees(name):
    blocking, asynchronous = getattr(Devin, name), getattr(AsyncDevin, name)

    assert shape(blocking) == shape(asynchronous)
    assert blocking.__doc__ == asynchronous.__doc__


@pytest.mark.parametrize("name", NAMESPACES)
def test_no_method_of_a_namespace_is_forgotten(name, both):
    blocking, asynchronous = (getattr(client, {"OrgTags": "org_tags"}.get(name, name.lower())) for client in both)
    inside = {"metrics"} if name == "Enterprise" else set()  # a namespace in a namespace

    assert public(blocking) == public(asynchronous)
    assert type(blocking).__doc__ == type(asynchronous).__doc__
    assert set(repr(blocking)[1:-1].partition(": ")[2].split(", ")) == public(blocking) - inside
    assert [method for method in public(blocking) - inside if not is_derived(getattr(blocking, method))] == []


def test_every_operation_is_a_method_of_both_clients(both):
    names = [operation.name for operation in OPERATIONS]
    assert [(name, client) for client in both for name in names if not callable(attrgetter(name)(client))] == []


def is_derived(method):
    return hasattr(method, "__wrapped__")


DOCUMENTED = [Devin, AsyncDevin, Session, *(getattr(sync, name) for name in NAMESPACES)]


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: kind.__name__)
def test_it_is_said_what_is_raised_where_the_service_refuses_or_is_not_reached(kind):
    said = inspect.getdoc(kind)

    assert "ApiError" in said
    assert "ConnectionTrouble" in said


def test_every_public_name_can_be_loaded():
    missing = [name for name in dj.__all__ if not _loads(name)]

    assert missing == []


def _loads(name):
    try:
        return getattr(dj, name) is not None
    except ImportError:
        return False
