"""The event loop of this package, on a daemon thread, so that work continues while a cell blocks or none runs.

Everything asynchronous runs on it; other threads use `submit`, `run` and `iterate` only. The thread must never keep a
kernel from exiting, and code that runs on it never prints, displays or calls back into `run`.

Blocking classes are derived from asynchronous ones here. The methods of a resource say it themselves:

    class AsyncPlaybooks:
        @also_blocking
        async def get(self, playbook: str) -> Playbook: ...
        @also_iterating("playbooks")
        async def list(self) -> AsyncIterator[Playbook]: ...

    class Playbooks(Blocking[AsyncPlaybooks], AsyncPlaybooks): ...

A class with methods of its own, such as a handle, names those that it derives:

    class Session(Blocking[AsyncSession]):
        tag = blocking(AsyncSession.tag)
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import functools
import gc
import inspect
import numbers
import os
import random
import re
import signal
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_args,
    get_origin,
    overload,
)

from devin_jupyter.errors import ArgumentError, Detached
from devin_jupyter.text import kind_of, nearest

A = TypeVar("A")
B = TypeVar("B", bound="Blocking[Any]")
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")

SLICE_SECONDS = 0.2
"""How long the main thread sleeps at a time, so that an interrupt is seen at once."""
_CLOSE_SECONDS = 1.0
"""How long the exit of the process may wait for connections to close."""

_POOLS_CLOSED = "cannot schedule new futures after"
"""Start of Python's error once the process is exiting: it closes its thread pools before it runs `atexit`."""

HAS_THREADS = sys.platform != "emscripten"
"""Whether threads can be started; not in pyodide, and so not in JupyterLite."""
REQUESTS_AT_ONCE = 10
_CHUNK = 100
_PROGRESS_FROM = 1000


_random = random.Random()


def jitter(spread: float) -> float:
    """Return a factor near one, so that many kernels do not ask in step.

    The generator of the notebook's own `random` is left alone: its numbers may have to be the same in each run.
    """
    return _random.uniform(1 - spread, 1 + spread)


def _block_forever() -> None:
    # The process is exiting: a traceback from a background thread would not help.
    threading.Event().wait()


def new_thread(work: Callable[..., None], name: str, *arguments: Any) -> threading.Thread:
    """Return a daemon thread that has yet to be started; in marimo one that may talk to the browser."""
    marimo = sys.modules.get("marimo")
    if marimo is not None:
        # An app that is served has a kernel for each visitor in one process, and our loop serves them all: the thread
        # must have the context of none of them. https://docs.marimo.io/api/threading/
        try:
            if marimo.running_in_notebook() and marimo.app_meta().mode == "edit":
                thread: threading.Thread = marimo.Thread(target=work, args=arguments, name=name, daemon=True)
                return thread
        except (AttributeError, RuntimeError, AssertionError):  # an older marimo, or no cell that runs
            pass
    kind = threading.Thread if HAS_THREADS else _InlineThread
    return kind(target=work, args=arguments, name=name, daemon=True)


def slices(future: concurrent.futures.Future[Any]) -> Iterator[None]:
    """Wait until a future is done, and yield after each `SLICE_SECONDS` in which it was not."""
    # A lock of C, not `futures.wait`, which takes the future's own for an instant in each slice: an interrupt at that
    # instant leaves it locked (https://bugs.python.org/issue29988), and the loop's thread blocks at it for good.
    over = threading.Lock()
    over.acquire()
    future.add_done_callback(lambda _: over.release())
    while not over.acquire(timeout=SLICE_SECONDS):
        yield


class _InlineThread(threading.Thread):
    """Does its work when it is started, for Pythons that cannot start threads."""

    def start(self) -> None:
        self.run()

    def join(self, timeout: float | None = None) -> None:
        pass


_MANY = 10_000
"""Objects that a collection looks at in a millisecond."""


class _Collector:
    """Pauses Python's garbage collector, for all reads and imports that are under way together.

    It would look for garbage among the objects of thousands of pages, which takes as long as parsing them; in an import
    of pandas it takes a quarter of the time.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users = 0
        self._is_paused = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause it, if it is on, until the last of them is over."""
        with self._lock:
            self._users += 1
            if gc.isenabled():
                gc.disable()
                self._is_paused = True
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self.resume()

    def resume(self) -> None:
        """End the pause now."""
        with self._lock:
            if self._is_paused:
                self._is_paused = False
                # What was made becomes old, or the next collection would look at it. What somebody froze stays frozen;
                # counting that takes 20 ms for a million objects, longer than it takes to look at a short read.
                if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                    gc.freeze()
                    gc.unfreeze()
                gc.enable()


_collector = _Collector()
paused_collector = _collector.paused


class LoopThread:
    """A lazily started event loop on a daemon thread, restarted in a forked child."""

    def __init__(self) -> None:
        # the garbage collector may end a widget at any line below, whose `__del__` submits work too
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._is_exiting = False
        self._closers: list[weakref.WeakMethod[Callable[[], Coroutine[Any, Any, None]]]] = []

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start the coroutine on the loop and return its future; already cancelled if the process is exiting."""
        if self._is_exiting:  # starting a thread now, as a `__del__` might, would hang forever
            work.close()
            future: concurrent.futures.Future[T] = concurrent.futures.Future()
            future.cancel()
            future.set_running_or_notify_cancel()  # else `wait` would not count it as done
            return future
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine on the loop and wait for it. Ctrl-C cancels it and is raised within `SLICE_SECONDS`."""
        if self.is_here():
            work.close()
            raise RuntimeError("a blocking call was made on the loop's own thread; await the async form instead")
        waiting: list[FrameType] = [sys._getframe()]
        token = _waiting_frame.set(waiting)
        try:
            future = self.submit(work)
        except BaseException:
            work.close()  # interrupted before it began: nothing will await it
            raise
        finally:
            _waiting_frame.reset(token)
        try:
            for _ in slices(future):
                pass
        except BaseException:
            future.cancel()
            _collector.resume()  # what is cancelled ends a moment later
            raise
        finally:
            waiting.clear()  # tasks that the work leaves behind keep their context
        is_daemon = threading.current_thread().daemon
        if self._is_exiting and is_daemon:
            _block_forever()
        try:
            return future.result()
        except RuntimeError as problem:
            if is_daemon and _POOLS_CLOSED in str(problem):
                _block_forever()
            raise

    def is_here(self) -> bool:
        """Whether the caller is on the loop's thread, where nothing may block."""
        return threading.current_thread() is self._thread

    def at_close(self, closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await an async method before the loop ends. Holds only a weak reference to its object."""
        self._closers.append(weakref.WeakMethod(closer))

    def close(self) -> None:
        """Close connections, cancel all tasks and end the thread. A later call starts a new one."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
            if loop is None or thread is None or not thread.is_alive() or self._pid != os.getpid():
                return
            ending = asyncio.run_coroutine_threadsafe(self._shut_down(), loop)
            concurrent.futures.wait([ending], timeout=_CLOSE_SECONDS)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_SECONDS)
            if not thread.is_alive():
                loop.close()

    def exit(self) -> None:
        """Close for good; called at exit."""
        self._is_exiting = True
        self.close()

    async def _shut_down(self) -> None:
        closers = [closer for reference in self._closers if (closer := reference()) is not None]
        self._closers.clear()
        await asyncio.gather(*(closer() for closer in closers), return_exceptions=True)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            alive = self._thread is not None and self._thread.is_alive() and self._pid == os.getpid()
            if self._loop is None or not alive:
                with paused_collector():
                    self._start()
            assert self._loop is not None
            return self._loop

    def _start(self) -> None:
        ready = threading.Event()
        loop = asyncio.new_event_loop()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.call_soon(ready.set)
            loop.run_forever()

        self._loop, self._pid = loop, os.getpid()
        self._thread = new_thread(serve, "devin-io")
        self._thread.start()
        ready.wait()


class InlineLoop(asyncio.BaseEventLoop):
    """An event loop without sockets and threads; what would run in a thread runs at once."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self  # asks itself for events, of which there are none

    def select(self, timeout: float | None) -> list[Any]:
        """Wait until the next timer."""
        if timeout:
            time.sleep(timeout)
        return []

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # a future, which may be awaited as well
        """Call the function, and return its outcome."""
        outcome: asyncio.Future[Any] = self.create_future()
        try:
            outcome.set_result(func(*args))
        except Exception as problem:
            outcome.set_exception(problem)
        return outcome


class ThreadlessLoop(LoopThread):
    """In place of the thread where none can be started: work runs in the call that asks for it, and only there."""

    _depth = 0

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run the coroutine to its end, or start it if the loop is running in a call further up."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if self._depth and self._loop is not None:
            task = self._loop.create_task(work)
            task.add_done_callback(lambda done: _copy_outcome(done, future))
            return future
        try:
            future.set_result(self.run(work))
        except (Exception, asyncio.CancelledError) as problem:
            future.set_exception(problem)
        return future

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine to its end. Tasks that it leaves behind go on with the next call."""
        if self._depth:
            work.close()
            raise RuntimeError("a blocking call was made on the loop's own thread; await the async form instead")
        if self._loop is None:
            self._loop = InlineLoop()
        # the browser's loop never stops, and its task waits meanwhile; see "Extending" in the manual of asyncio
        outer = asyncio._get_running_loop()
        task = asyncio.current_task(outer) if outer is not None else None
        if outer is not None and task is not None:
            asyncio._leave_task(outer, task)
        asyncio._set_running_loop(None)
        self._depth += 1
        try:
            return self._loop.run_until_complete(work)
        finally:
            self._depth -= 1
            asyncio._set_running_loop(outer)
            if outer is not None and task is not None:
                asyncio._enter_task(outer, task)

    def is_here(self) -> bool:
        """Whether the loop is running in a call further up."""
        return self._depth > 0

    def close(self) -> None:
        """Cancel all tasks."""
        loop = self._loop
        if loop is not None and not self._depth:
            self.run(self._shut_down())
            self._loop = None
            loop.close()


def _copy_outcome(done: asyncio.Task[T], future: concurrent.futures.Future[T]) -> None:
    if done.cancelled():
        future.cancel()
    elif (problem := done.exception()) is not None:
        future.set_exception(problem)
    else:
        future.set_result(done.result())


_shared = LoopThread() if HAS_THREADS else ThreadlessLoop()
submit = _shared.submit
run = _shared.run
is_here = _shared.is_here
at_close = _shared.at_close
atexit.register(_shared.exit)
if hasattr(os, "register_at_fork"):  # a forked child has the lock's state, but not the thread
    os.register_at_fork(after_in_child=lambda: _shared.__init__())  # type: ignore[misc]  # as good as new


def names_of_caller() -> dict[str, Any]:
    """Return the variables that the code which called this package can name: its local ones before its module's.

    Nothing where a magic or a panel called: they know the names of the notebook, or none.
    """
    for start in (sys._getframe(1), *_waiting_frame.get()):  # of the loop, and of the thread that waits for it
        frame: FrameType | None = start
        while frame is not None:
            module = str(frame.f_globals.get("__name__"))
            if module.startswith(_OWN_NAMES):
                return {}
            if module.partition(".")[0] not in _BETWEEN:
                return {**vars(sys.modules["__main__"]), **frame.f_globals, **local_names(frame)}
            frame = frame.f_back
    return dict(vars(sys.modules["__main__"]))


def local_names(frame: FrameType) -> dict[str, Any]:
    """Return the local variables where a frame runs a function; nothing for a cell, a module or the body of a class."""
    found = dict[str, Any]()
    while frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        found = {**frame.f_locals, **found}
        if frame.f_code.co_name not in _COMPREHENSIONS or frame.f_back is None:
            break
        frame = frame.f_back  # a comprehension sees the variables around it
    return {name: value for name, value in found.items() if name.isidentifier()}


_waiting_frame: ContextVar[Sequence[FrameType]] = ContextVar("_waiting_frame", default=())
"""The frame of the blocking call that started what runs on the loop; empty once it has returned."""
_OWN_NAMES = ("devin_jupyter.magics", "devin_jupyter.panel")
_BETWEEN = frozenset({"devin_jupyter", "asyncio", "threading", "concurrent", "contextlib", "functools"})
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})


acts_sent: ContextVar[list[str] | None] = ContextVar("acts_sent", default=None)
"""Where the requests of a call that change something are noted; reading changes nothing."""


def run_request(call: Coroutine[Any, Any, T]) -> T:
    """Run a request to the service. An interrupt shows no frames, whose variables may hold secrets.

    Raises:
        Detached: in place of KeyboardInterrupt.
    """
    acts: list[str] = []
    token = acts_sent.set(acts)
    try:
        return run(call)
    except Detached:
        raise
    except KeyboardInterrupt:
        if not acts:
            raise Detached("interrupted while reading", "nothing was changed on the service", "run it again") from None
        message = "interrupted before the response came"
        raise Detached(message, "the request may have been applied", "check before you repeat it") from None
    finally:
        acts_sent.reset(token)


@contextmanager
def completing_requests(*, stops: bool = False) -> Iterator[None]:
    """Explain an interrupt of a paid call, which the loop completes and records in the background.

    Args:
        stops: a session that is started all the same is then terminated.

    Raises:
        Detached: in place of KeyboardInterrupt.
    """
    try:
        yield
    except Detached:
        raise
    except KeyboardInterrupt:
        message = "interrupted while sending; the request is completed and recorded in the background"
        if stops:
            consequence = "a session that it starts is terminated, as --on-interrupt stop says"
            raise Detached(message, consequence) from None
        hint = "run the cell again to attach to it, or see %devin journal"
        raise Detached(message, "a session may be running, and costing ACUs; nothing is sent twice", hint) from None


def run_paid(work: Coroutine[Any, Any, T], *, undo: Callable[[T], Coroutine[Any, Any, None]] | None) -> T:
    """Run a paid call, which an interrupt does not cut short, and wait for it.

    Args:
        work: the call.
        undo: what an interrupted call returned all the same is passed to it; None keeps it.

    Raises:
        Detached: interrupted (a KeyboardInterrupt).
    """
    made: list[T] = []

    async def make() -> None:
        made.append(await work)

    async def undo_made(undo: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        for one in made:  # the interrupt has reached the work: none is made from now on
            await undo(one)

    with completing_requests(stops=undo is not None):
        try:
            run(make())
        except KeyboardInterrupt:
            if undo is not None:
                submit(undo_made(undo))
            raise
        return made[0]


@contextmanager
def cancel_on_interrupt() -> Iterator[None]:
    """Make Ctrl-C cancel the current task where it would otherwise be raised in the event loop.

    IPython's terminal leaves Python's own handler in place while it awaits; a kernel and `asyncio.run` cancel the
    task themselves.
    """
    is_main = threading.current_thread() is threading.main_thread()
    task = asyncio.current_task()
    if not is_main or task is None or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(task.cancel))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def iterate(items: AsyncIterator[T], *, unit: str = "items") -> Iterator[T]:
    """Yield the items of an async iterator, read in chunks on the loop; long ones show a progress bar.

    Args:
        items: closed when the caller stops early.
        unit: what the bar counts.
    """
    count = 0
    bar: Any = None
    try:
        while chunk := run_request(_next_chunk(items)):
            count += len(chunk)
            if count > _PROGRESS_FROM:
                if bar is None:  # not `bar or …`: a bar is false while it is empty
                    from tqdm.auto import tqdm

                    bar = tqdm(unit=f" {unit}", leave=False)
                bar.update(count - bar.n)
            yield from chunk
    finally:
        if bar is not None:
            bar.close()
        closing = _close(items)
        try:
            submit(closing)  # without waiting: an abandoned generator may be closed on any thread, and at exit
        except RuntimeError:
            closing.close()


async def _next_chunk(items: AsyncIterator[T]) -> list[T]:
    chunk: list[T] = []
    async for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            break
    return chunk


async def _close(items: AsyncIterator[Any]) -> None:
    close: Callable[[], Any] | None = getattr(items, "aclose", None)
    if close is not None:
        await close()


async def gather_limited(
    work: Callable[[T], Awaitable[R]], items: Iterable[T], *, limit: int = REQUESTS_AT_ONCE
) -> list[R]:
    """Await `work(item)` for all items, at most `limit` at a time, and return the results in order.

    Raises:
        Exception: the first failure; the other items are cancelled.
    """
    semaphore = asyncio.Semaphore(limit)

    async def one(item: T) -> R:
        async with semaphore:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except ExceptionGroup as problems:
        first = next(leaf_exceptions(problems))
    else:
        return [task.result() for task in tasks]
    raise first  # outside the handler, where no group is its context: IPython would print all frames of that


def leaf_exceptions(problem: Exception) -> Iterator[Exception]:
    """Yield the exceptions inside nested groups."""
    if isinstance(problem, ExceptionGroup):
        for inner in problem.exceptions:
            yield from leaf_exceptions(inner)
    else:
        yield problem


# --- blocking twins -----------------------------------------------------------------------------------------
# A call is written and documented once, on the async class; type checkers, help and Tab see it on the blocking one.
# An async method that takes **keywords must be written with (self, /, …), or mypy cannot match it.

Guard = Callable[[Any], AbstractContextManager[None]]
"""Given the blocking object, makes the context manager that its call waits in: it says what Ctrl-C means there."""

_SELF = "Self"


class Blocking(Generic[A]):
    """The blocking twin of an async object that lives on the loop's thread."""

    def __init__(self, asynchronous: A) -> None:
        self._async = asynchronous

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, method in [item for base in cls.__mro__ for item in vars(base).items()]:
            if hasattr(method, "_derive") and getattr(cls, name) is method:  # neither derived yet nor written by hand
                setattr(cls, name, method._derive(method))
        for name, value in vars(cls).items():
            if getattr(value, "__wrapped__", None) is None:
                continue
            value.__module__, value.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"
            signature = inspect.signature(value)
            if signature.return_annotation == _SELF:
                value.__signature__ = signature.replace(return_annotation=cls.__qualname__)
        if cls.__doc__ is None:
            bases = [base for base in getattr(cls, "__orig_bases__", ()) if get_origin(base) is Blocking]
            cls.__doc__ = get_args(bases[0])[0].__doc__ if bases else None

    def __repr__(self) -> str:
        methods = [name for name, value in vars(type(self)).items() if callable(value) and not name.startswith("_")]
        return f"<{type(self).__name__}: {', '.join(methods)}>"


class AlsoBlocking(Protocol[P, T_co]):
    """What type checkers take a method for: a coroutine on an async object, a plain call on a blocking one."""

    @overload
    def __get__(self, instance: None, owner: Any) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T_co]]: ...
    @overload
    def __get__(self, instance: Blocking[Any], owner: Any) -> Callable[P, T_co]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


class AlsoIterating(Protocol[P, T_co]):
    """What type checkers take a method for: an async iterator on an async object, a plain one on a blocking one."""

    @overload
    def __get__(self, instance: None, owner: Any) -> Callable[Concatenate[Any, P], AsyncIterator[T_co]]: ...
    @overload
    def __get__(self, instance: Blocking[Any], owner: Any) -> Callable[P, Iterator[T_co]]: ...
    @overload
    def __get__(self, instance: object, owner: Any) -> Callable[P, AsyncIterator[T_co]]: ...


def also_blocking(method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> AlsoBlocking[P, T]:
    """Let blocking subclasses derive the method as with `blocking`; the method itself stays as it is."""
    method._derive = blocking  # type: ignore[attr-defined]  # `Blocking` reads it
    return cast("AlsoBlocking[P, T]", method)


def also_iterating(
    unit: str,
) -> Callable[[Callable[Concatenate[Any, P], AsyncIterator[T]]], AlsoIterating[P, T]]:
    """Let blocking subclasses derive the method as with `iterating`; the method itself stays as it is.

    Args:
        unit: what the progress bar of long ones counts.
    """

    def mark(method: Callable[Concatenate[Any, P], AsyncIterator[T]]) -> AlsoIterating[P, T]:
        method._derive = functools.partial(iterating, unit=unit)  # type: ignore[attr-defined]  # `Blocking` reads it
        return cast("AlsoIterating[P, T]", method)

    return mark


@overload
def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]], *, guard: Guard | None = None
) -> Callable[Concatenate[Blocking[A], P], T]: ...
@overload
def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
    returns: Callable[[T], U],
    *,
    guard: Guard | None = None,
) -> Callable[Concatenate[Blocking[A], P], U]: ...
def blocking(
    method: Callable[..., Any], returns: Callable[[Any], Any] | None = None, *, guard: Guard | None = None
) -> Callable[..., Any]:
    """Derive a method that waits for the answer.

    Args:
        method: of the async class.
        returns: makes the blocking answer from the async one, such as the class of a handle.
        guard: what the call waits in; by default an interrupt raises `Detached`.
    """

    def finish(self: Any, work: Coroutine[Any, Any, Any]) -> Any:
        answer = _wait(self, work, guard)
        return answer if returns is None else returns(answer)

    if returns is None or isinstance(returns, type):
        return _derived(method, finish, getattr(returns, "__name__", None))
    return _derived(method, finish, str(inspect.signature(returns).return_annotation))


def fluent(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, object]], *, guard: Guard | None = None
) -> Callable[Concatenate[B, P], B]:
    """Derive a method that waits and returns the blocking object itself, so that calls can be chained."""

    def finish(self: Any, work: Coroutine[Any, Any, Any]) -> Any:
        _wait(self, work, guard)
        return self

    return _derived(method, finish, _SELF)


def iterating(
    method: Callable[Concatenate[A, P], AsyncIterator[T]], unit: str
) -> Callable[Concatenate[Blocking[A], P], Iterator[T]]:
    """Derive an iterator; long ones show a progress bar.

    Args:
        method: of the async class, which returns an async iterator.
        unit: what the bar counts.
    """
    return _derived(method, lambda _, items: iterate(items, unit=unit), "Iterator")


def understood(function: F) -> F:
    """Let a function answer a wrong keyword with the nearest right one, where Python only raises a TypeError."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            signature.bind(*args, **kwargs)
        except TypeError as mistake:
            wrong = next((name for name in kwargs if name not in signature.parameters), None)
            if wrong is None:
                problem = f"{function.__name__}: {mistake}"
            else:
                problem = f"{function.__name__} has no {wrong}={nearest(wrong, signature.parameters)}"
            raise ArgumentError(problem, hint=f"it takes {', '.join(signature.parameters)}") from None
        return function(*args, **kwargs)

    return cast("F", call)


def with_keywords(options: type) -> Callable[[F], F]:
    """Let the signature of a function with `**options` name them, so that Tab, `?` and `help` know every keyword.

    Args:
        options: a TypedDict.
    """

    def expand(function: F) -> F:
        signature = inspect.signature(function)
        fixed = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        named = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
            for name in options.__annotations__
            if name not in signature.parameters
        ]
        function.__signature__ = signature.replace(parameters=[*fixed, *named])  # type: ignore[attr-defined]  # inspect reads it
        return function

    return expand


def documented_by(twin: Callable[..., Any]) -> Callable[[F], F]:
    """Return a decorator that gives a method written by hand the documentation of its async twin."""

    def document(method: F) -> F:
        method.__doc__ = twin.__doc__
        return method

    return document


def same_arguments(
    twin: Callable[P, Any],
) -> Callable[[Callable[Concatenate[S, ...], None]], Callable[Concatenate[S, P], None]]:
    """Return a decorator that gives an `__init__` the parameters and the documentation of an async class."""

    def derive(init: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(twin.__init__)
        def call(*args: Any, **kwargs: Any) -> None:
            init(*args, **kwargs)

        return call

    return derive


def on_default(client: Callable[..., B], method: Callable[Concatenate[B, P], T]) -> Callable[P, T]:
    """Derive a function of the package: a method of the default client.

    Args:
        client: returns the client; it is called with the arguments of the call.
        method: of the class of that client.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        chosen = client(*args, **kwargs)
        try:
            return method(chosen, *args, **kwargs)
        except TypeError as mistake:
            if isinstance(mistake, ArgumentError) or mistake.__traceback__ is None or mistake.__traceback__.tb_next:
                raise
            problem = str(mistake)
        raise wrong_call(problem, method.__name__, without_self)

    functools.update_wrapper(call, method)
    call.__module__, call.__qualname__ = "devin_jupyter", method.__name__
    call.__doc__ = f"{inspect.getdoc(method) or ''}\n\nWith the default client: see `connect`."
    signature = inspect.signature(method)
    without_self = list(signature.parameters.values())[1:]
    call.__signature__ = signature.replace(parameters=without_self)  # type: ignore[attr-defined]  # inspect reads it
    return call


def _wait(blocking: Any, work: Coroutine[Any, Any, T], guard: Guard | None) -> T:
    if guard is None:
        return run_request(work)
    with ExitStack() as stack:
        try:
            stack.enter_context(guard(blocking))
        except BaseException:
            work.close()  # interrupted before it began: nothing will await it
            raise
        return run(work)


def wrong_call(problem: str, name: str, parameters: Iterable[inspect.Parameter]) -> ArgumentError:
    """Return the error of a call that Python refused, with what it takes."""
    parameters = list(parameters)
    placed = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    shown = [one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in placed]
    if count := re.search(r"takes (?:from \d+ to )?(\d+) positional .*?but (\d+) .*given", problem):
        takes, given = int(count[1]) - 1, int(count[2]) - 1  # Python counts the handle too
        most = "no arguments" if not parameters else "no positional arguments"
        if takes:
            most = f"at most {takes} positional argument{'s' if takes > 1 else ''}"
        problem = f"{problem[: count.start()]}takes {most}, but {given} {'was' if given == 1 else 'were'} given"
    shown += [f"*{one.name}" for one in parameters if one.kind is one.VAR_POSITIONAL]
    more = ["…"] if len(shown) < len(parameters) else []
    return ArgumentError(problem, "nothing was sent", f"it takes {name}({', '.join([*shown, *more])})")


def _wrong_call(problem: str, method: Callable[..., Any]) -> ArgumentError:
    return wrong_call(problem, method.__name__, [*_arguments(method)[0].parameters.values()][1:])


_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "None": "",
    "Sequence": "a list",
    "Iterable": "a list",
    "list": "a list",
    "Mapping": "a mapping",
    "BaseException": "an exception",
    "Policy": "a Policy",
    "SessionRequest": "a SessionRequest",
}
"""What a parameter with such an annotation takes; one with any other is left to the method."""
_LISTS = frozenset({"Sequence", "Iterable", "list"})
_TOLD_BETTER = frozenset(
    {"self", "id_or_url", "max_acu", "org_ids", "phase", "session", "session_id", "take", "timeout", "wanted"}
)
"""Parameters that the methods themselves check, with words of their own."""


@functools.cache
def _arguments(method: Callable[..., Any]) -> tuple[inspect.Signature, Mapping[str, Set[str]]]:
    """Return the signature of a method, and what those parameters take of which the annotation says it plainly."""
    signature, kinds = inspect.signature(method), {}
    for name, one in signature.parameters.items():
        parts = {part.partition("[")[0] for part in re.split(r" \| (?![^\[]*\])", str(one.annotation))}
        if name not in _TOLD_BETTER and one.kind is not one.VAR_KEYWORD and parts <= _KINDS.keys():
            kinds[name] = parts
    return signature, kinds


def _check_kinds(
    method: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[bool, ArgumentError | None]:
    """Return whether a call has all arguments and none that are unknown, and the error for one of a wrong kind."""
    signature, kinds = _arguments(method)
    try:
        given = signature.bind(None, *args, **kwargs).arguments
    except TypeError:
        return False, None  # Python says what is wrong
    for name, parts in kinds.items():
        if name not in given:
            continue
        is_several = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        for value in given[name] if is_several else (given[name],):
            if not _is_of(parts, value):
                takes = " or ".join(dict.fromkeys(filter(None, map(_KINDS.__getitem__, sorted(parts)))))
                what = {"prompt": "the prompt", "text": "a message"}.get(name, name)
                verb = "are" if is_several else "is"
                return True, _wrong_call(f"{what} {verb} {takes}, not {kind_of(value)}", method)
    return True, None


def _is_of(parts: Set[str], value: Any) -> bool:
    names = {each.__name__ for each in type(value).__mro__}
    is_truth = isinstance(value, bool) or not names.isdisjoint({"bool_", "bool"})  # of numpy too
    if value is None or isinstance(value, str):
        # a text in place of a list of one is for the method to take, or to refuse
        return not parts.isdisjoint({"None"} if value is None else {"str", *_LISTS})
    if is_truth or isinstance(value, numbers.Integral):
        return ("bool" in parts and value in (0, 1)) or (not is_truth and not parts.isdisjoint({"int", "float"}))
    if "float" in parts and (isinstance(value, numbers.Number) or hasattr(value, "total_seconds")):
        return True
    if isinstance(value, Mapping):
        return "Mapping" in parts
    is_list = isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray))
    return (is_list and not parts.isdisjoint(_LISTS)) or not parts.isdisjoint(names)


def checked(kind: type[T]) -> type[T]:
    """Let the public calls of an async class refuse arguments of another kind than they take; nothing is sent."""
    for name, method in list(vars(kind).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(kind, name, _checked(method))
    return kind


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    def work(self: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        fits, wrong = _check_kinds(method, args, kwargs)
        if wrong is not None:
            raise wrong
        try:
            return method(self, *args, **kwargs)
        except TypeError as mistake:
            if fits or isinstance(mistake, ArgumentError):
                raise  # from inside the method
            raise _wrong_call(str(mistake), method) from None

    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await work(self, args, kwargs)
    else:

        @functools.wraps(method)
        def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return work(self, args, kwargs)

    _unchecked[call] = method
    return call


_unchecked: dict[Callable[..., Any], Callable[..., Any]] = {}
"""The methods behind those that check their arguments: their blocking twins check them too."""


def _derived(method: Callable[..., Any], finish: Callable[[Any, Any], Any], returns: str | None) -> Callable[..., Any]:
    method = _unchecked.get(method, method)

    @functools.wraps(method, updated=())  # the mark of `also_blocking` stays behind
    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        fits, wrong = _check_kinds(method, args, kwargs)
        if wrong is not None:
            args, kwargs = (), {}
            raise wrong
        try:
            # an async function only binds its arguments here, and one that wraps it does not even that
            work = (method if fits else inspect.unwrap(method))(self._async, *args, **kwargs)
        except TypeError as mistake:
            if fits:
                raise  # from inside the method
            args, kwargs = (), {}  # a verbose traceback shows the arguments of this frame, which may hold a secret
            said = str(mistake).replace(method.__qualname__, call.__qualname__)
            raise _wrong_call(said, method) from None
        return finish(self, work)

    # without it `help` would promise an AsyncIterator, or the async handle
    signature = inspect.signature(method)
    answer = str(signature.return_annotation)
    if returns == "Iterator":
        answer = answer.replace("AsyncIterator", returns)
    this, *parameters = signature.parameters.values()
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]  # inspect reads it
        parameters=[this.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters],
        return_annotation=answer if returns in (None, "Iterator") else returns,
    )
    return call
