"""Everything there is twice says the same twice: names, parameters, documentation."""

import inspect

import pytest

import devin_jupyter as dj
from devin_jupyter import AsyncDevin, Devin, Session, namespaces
from devin_jupyter import devin as functions
from devin_jupyter.api.operations import OPERATIONS
from devin_jupyter.settings import Settings

PLAIN = "api_key", "settings"
ONLY_BLOCKING = {"asynchronous"}  # the way to the other one
ONLY_ASYNC = {"aclose"}  # what async code calls close
NAMESPACES = sorted(namespaces.__all__)


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

    assert public(blocking) - public(asynchronous) == ONLY_BLOCKING
    assert public(asynchronous) - public(blocking) == ONLY_ASYNC


def shape(method):
    """Names, kinds and defaults of the parameters."""
    parameters = inspect.signature(method).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


SHARED = sorted(public(Devin) & public(AsyncDevin) - {"core", "settings", "journal"})


@pytest.mark.parametrize("name", ["__init__", *SHARED])
def test_the_methods_of_the_clients_agree(name):
    blocking, asynchronous = getattr(Devin, name), getattr(AsyncDevin, name)

    assert shape(blocking) == shape(asynchronous)
    assert blocking.__doc__ == asynchronous.__doc__
    assert not inspect.iscoroutinefunction(blocking)
    assert name == "__init__" or inspect.iscoroutinefunction(asynchronous)


def twins(name, both):
    blocking, asynchronous = both
    return getattr(blocking, name.lower()), getattr(asynchronous, name.lower())


@pytest.mark.parametrize("name", NAMESPACES)
def test_the_namespaces_agree(name, both):
    blocking, asynchronous = twins(name, both)

    assert public(blocking) == public(asynchronous)
    assert type(blocking).__doc__ == type(asynchronous).__doc__
    for method in public(blocking):
        one, other = getattr(type(blocking), method), getattr(type(asynchronous), method)
        assert shape(one) == shape(other), method
        assert one.__doc__ == other.__doc__, method


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_a_method_of_both_clients(operation, both):
    for client in both:
        thing = client
        for part in operation.name.replace("organizations", "settings").split("."):
            thing = getattr(thing, part)
        assert operation.name == "organizations" or callable(thing)


@pytest.mark.parametrize("name", sorted(set(functions.__all__) & public(Devin)))
def test_the_functions_of_the_package_are_the_methods_of_the_default_client(name):
    function, method = getattr(functions, name), getattr(Devin, name)

    assert shape(function) == [part for part in shape(method) if part[0] != "self"]
    first = (inspect.getdoc(method) or "").splitlines()[0]
    assert (inspect.getdoc(function) or "").splitlines()[0] == first


DOCUMENTED = [Devin, AsyncDevin, Session, *(getattr(namespaces, name) for name in NAMESPACES)]


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: f"{kind.__module__.split('.')[1]}.{kind.__name__}")
def test_everything_public_is_documented_with_all_its_parameters(kind):
    assert inspect.getdoc(kind)
    for name in public(kind):
        member = inspect.getattr_static(kind, name)
        if isinstance(member, property):
            assert member.fget.__doc__, name
            continue
        if not callable(member):
            continue
        said = inspect.getdoc(member) or ""
        named = [part.name for part in inspect.signature(member).parameters.values() if part.name != "self"]
        listed = [part for part in named if part not in said]
        assert said, name
        assert not listed or len(said.splitlines()) == 1, (name, listed)


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
