"""A blocking class is derived from its async twin: calls, help, Tab and mistakes are those of one written by hand."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pydoc
from collections.abc import AsyncIterator
from contextlib import contextmanager

import pytest
from interrupt import ctrl_c_once_blocked
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from devin_jupyter import loop
from devin_jupyter.errors import ArgumentError, Detached
from devin_jupyter.loop import (
    Blocking,
    also_blocking,
    also_iterating,
    blocking,
    documented_by,
    fluent,
    iterating,
    on_default,
    same_arguments,
)


class AsyncCounter:
    """Counts.

    It starts at zero.
    """

    def __init__(self, step: int = 1, *, start: int = 0) -> None:
        """Count from `start` in steps."""
        self.step, self.value = step, start

    async def add(self, times: int = 1, *, twice: bool = False) -> int:
        """Count on and return the value."""
        self.value += times * self.step * (2 if twice else 1)
        return self.value

    async def reset(self, /, value: int = 0, **others: object) -> AsyncCounter:
        """Set the value."""
        self.value = value
        return self

    async def names(self, limit: int) -> AsyncIterator[str]:
        """Go through names."""
        for number in range(limit):
            yield f"n{number}"

    def refused(self, limit: int) -> AsyncIterator[str]:
        """Fail before anything is read."""
        return self.names(limit + "1")  # type: ignore[operator]

    async def fails(self) -> int:
        """Fail inside."""
        return int([])  # type: ignore[call-overload]

    async def sleep(self) -> None:
        """Wait until it is interrupted."""
        await asyncio.sleep(60)


@contextmanager
def interrupted(counter):
    raise KeyboardInterrupt
    yield


@contextmanager
def guarded(counter):
    assert isinstance(counter, Counter)
    try:
        yield
    except KeyboardInterrupt:
        raise Detached("guarded") from None


class Counter(Blocking[AsyncCounter]):
    @same_arguments(AsyncCounter)
    def __init__(self, *args, **kwargs):
        super().__init__(AsyncCounter(*args, **kwargs))

    add = blocking(AsyncCounter.add)
    text = blocking(AsyncCounter.add, str)
    reset = fluent(AsyncCounter.reset)
    names = iterating(AsyncCounter.names, "names")
    refused = iterating(AsyncCounter.refused, "names")
    fails = blocking(AsyncCounter.fails)
    sleep = blocking(AsyncCounter.sleep)
    guarded_sleep = blocking(AsyncCounter.sleep, guard=guarded)
    interrupted_sleep = blocking(AsyncCounter.sleep, guard=interrupted)

    @documented_by(AsyncCounter.add)
    def by_hand(self):
        return 5


class AsyncShelf:
    """Keeps books."""

    @also_blocking
    async def get(self, title: str) -> str:
        """Return a book."""
        return f"{title} of {[each async for each in self.list(2)]}"

    @also_iterating("books")
    async def list(self, limit: int) -> AsyncIterator[str]:
        """Go through the books."""
        for number in range(limit):
            yield f"b{number}"

    @also_blocking
    async def by_hand(self) -> int:
        """Count."""
        return 1


class Shelf(Blocking[AsyncShelf], AsyncShelf):
    def by_hand(self):
        return 2


class OwnShelf(Shelf):
    """A user's own."""


def shared(*_, **__):
    return COUNTER


COUNTER = Counter()
add = on_default(shared, Counter.add)


def test_calls_wait_and_return_what_the_async_ones_return():
    counter = Counter(2, start=1)

    assert counter.add(3) == 7
    assert counter.add(twice=True) == 11
    assert counter.text(0) == "11"
    assert counter.reset(value=4, other=1) is counter
    assert counter.add(0) == 4
    assert list(counter.names(250)) == [f"n{number}" for number in range(250)]


@pytest.mark.parametrize("kind", [Shelf, OwnShelf])
def test_methods_that_say_so_are_derived_without_a_line_in_the_blocking_class(kind):
    shelf = kind(AsyncShelf())

    assert shelf.get("b0") == "b0 of ['b0', 'b1']"
    assert list(shelf.list(3)) == ["b0", "b1", "b2"]
    assert shelf.by_hand() == 2
    assert str(inspect.signature(kind.list)) == "(self, limit: 'int') -> 'Iterator[str]'"
    assert (kind.get.__qualname__, kind.get.__doc__) == ("Shelf.get", "Return a book.")
    assert repr(Shelf(AsyncShelf())) == "<Shelf: by_hand, get, list>"
    assert inspect.getdoc(Shelf) == "Keeps books."
    with pytest.raises(ArgumentError, match=r"Shelf\.get\(\) missing 1 required positional argument: 'title'"):
        shelf.get()


def test_the_async_methods_stay_what_they_are():
    assert inspect.iscoroutinefunction(AsyncShelf().get)
    assert inspect.isasyncgenfunction(AsyncShelf().list)
    assert asyncio.run(AsyncShelf().get("b1")) == "b1 of ['b0', 'b1']"


def test_the_parameters_are_those_of_the_async_class():
    assert str(inspect.signature(Counter)) == "(step: 'int' = 1, *, start: 'int' = 0) -> 'None'"
    assert str(inspect.signature(Counter.add)) == "(self, times: 'int' = 1, *, twice: 'bool' = False) -> 'int'"
    assert str(inspect.signature(Counter.text)).endswith("-> 'str'")
    assert str(inspect.signature(Counter.reset)) == "(self, value: 'int' = 0, **others: 'object') -> 'Counter'"
    assert str(inspect.signature(Counter.names)) == "(self, limit: 'int') -> 'Iterator[str]'"
    assert str(inspect.signature(add)) == "(times: 'int' = 1, *, twice: 'bool' = False) -> 'int'"
    assert not inspect.iscoroutinefunction(Counter.add)


def test_help_shows_the_blocking_class_with_the_words_of_the_async_one():
    text = pydoc.plain(pydoc.render_doc(Counter))

    assert "Async" not in text
    assert "Counts." in text
    assert "add(self, times: 'int' = 1, *, twice: 'bool' = False) -> 'int'" in text
    assert "Count on and return the value." in text
    assert Counter.by_hand.__doc__ == AsyncCounter.add.__doc__
    assert Counter.__init__.__doc__ == "Count from `start` in steps."
    assert inspect.getdoc(add) == "Count on and return the value.\n\nWith the default client: see `connect`."
    assert repr(Counter()).startswith("<Counter: add, text, reset, names")


def test_reprs_and_pickles_name_the_blocking_class():
    assert repr(Counter.add).startswith("<function Counter.add at")
    assert Counter.add.__module__ == __name__
    assert Counter.guarded_sleep.__qualname__ == "Counter.guarded_sleep"
    assert add.__module__ == "devin_jupyter"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda counter: counter.add(1, 2), "Counter.add() takes at most 1 positional argument, but 2 were given"),
        (lambda counter: counter.add(thrice=True), "Counter.add() got an unexpected keyword argument 'thrice'"),
        (lambda counter: counter.names(), "Counter.names() missing 1 required positional argument: 'limit'"),
        (lambda counter: add(thrice=True), "Counter.add() got an unexpected keyword argument 'thrice'"),
    ],
)
def test_a_wrong_argument_is_a_type_error_that_names_the_blocking_class(call, text):
    with pytest.raises(ArgumentError) as raised:
        call(Counter())

    assert isinstance(raised.value, TypeError)
    assert raised.value.message == text
    assert raised.value.hint.startswith("it takes ")
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_type_error_from_inside_a_method_keeps_its_text_and_its_frames():
    with pytest.raises(TypeError, match="unsupported operand") as raised:
        Counter().refused(1)
    assert "refused" in [entry.name for entry in raised.traceback]
    with pytest.raises(TypeError, match="int\\(\\) argument"):
        Counter().fails()


@pytest.mark.parametrize(("name", "what"), [("sleep", "interrupted while reading"), ("guarded_sleep", "guarded")])
def test_an_interrupt_says_what_the_guard_of_the_call_says(name, what):
    with ctrl_c_once_blocked(), pytest.raises(Detached, match=what):
        getattr(Counter(), name)()


def test_an_interrupt_before_the_work_has_begun_leaves_no_coroutine_that_nobody_awaits():
    with pytest.raises(KeyboardInterrupt):
        Counter().interrupted_sleep()
    gc.collect()  # Python would tell of it now


@pytest.mark.parametrize("name", ["sleep", "guarded_sleep"])
def test_an_interrupt_on_the_way_to_the_loop_leaves_no_such_coroutine_either(name, monkeypatch):
    def pressed():
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._shared, "_running_loop", pressed)
    with pytest.raises(Detached):
        getattr(Counter(), name)()
    gc.collect()


@pytest.mark.parametrize("with_jedi", [True, False])
@pytest.mark.parametrize(("line", "wanted"), [("counter.a", "add"), ("counter.add(tw", "twice="), ("add(tw", "twice=")])
def test_tab_completes_methods_and_keywords(line, wanted, with_jedi):
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.Completer.use_jedi = with_jedi
    shell.user_ns.update(counter=Counter(), add=add)

    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions(line, len(line))]
    assert any(text.lstrip(".") == wanted for text in found), found
