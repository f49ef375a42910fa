"""What the magic's tests share: a fresh interpreter, and IPython's shell with the extension loaded."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import IPython
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from new_kernel import start_async_kernel
from one_process import AFTER, before
from traitlets.config import Config

from devin_jupyter.client.sync import disconnect


@dataclass
class Ran:
    """What a cell did."""

    out: str
    """What was printed, errors included."""
    shown: list[dict[str, Any]]
    """The bundles that were displayed."""
    error: BaseException | None
    value: Any

    @property
    def lines(self) -> list[str]:
        """The lines that an error shows."""
        assert self.error is not None, self.out
        return self.out.strip().splitlines()


class Shell:
    """IPython's shell, as a test uses it."""

    def __init__(self, ipython: InteractiveShell) -> None:
        self.ipython = ipython

    @property
    def names(self) -> dict[str, Any]:
        return self.ipython.user_ns

    def run(self, code: str, *, fails: bool = False) -> Ran:
        """Run a cell; it must fail, or must not."""
        with capture_output() as captured:
            result = self.ipython.run_cell(code, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        shown = [output.data for output in captured.outputs]
        ran = Ran(captured.stdout + captured.stderr, shown, error, result.result)
        assert (error is not None) is fails, ran
        return ran

    def tab(self, code: str) -> list[str]:
        """Complete where `|` stands; what the line would become up to the cursor."""
        at = code.index("|")
        text = code[:at] + code[at + 1 :]
        with provisionalcompleter():
            found = list(self.ipython.Completer.completions(text, at))
        start = text.rfind("\n", 0, at) + 1
        return [text[start : item.start] + item.text for item in found]


@pytest.fixture(scope="session")
def _ipython():
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor" if IPython.version_info >= (9,) else "NoColor"
    config.Completer.use_jedi = False
    main = sys.modules["__main__"]  # the shell puts its own in this place
    ipython = InteractiveShell.instance(config=config)
    yield ipython
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.fixture
def shell(_ipython):
    """Return the shell with the extension loaded and no names."""
    hidden = _ipython.user_ns_hidden
    for name in [name for name in _ipython.user_ns if name not in hidden and not name.startswith("__")]:
        del _ipython.user_ns[name]
    _ipython.extension_manager.load_extension("devin_jupyter")
    yield Shell(_ipython)
    _ipython.extension_manager.unload_extension("devin_jupyter")


class Kernel:
    """A real kernel, driven as a front end drives it."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.manager, self.client = self._runner.run(start_async_kernel())

    def run(
        self,
        code: str,
        *,
        headless: bool = False,
        cell_id: str | None = None,
        fails: bool = False,
        seconds: float = 300,
    ) -> list[dict[str, Any]]:
        """Run a cell and return its outputs as nbformat has them."""
        outputs: list[dict[str, Any]] = []
        request = self.send(code, headless=headless, cell_id=cell_id)
        reply = self.gather(request, outputs, seconds)
        assert (reply["status"] == "error") is fails, outputs
        return outputs

    def send(self, code: str, *, headless: bool = False, cell_id: str | None = None) -> str:
        """Send an execute request and return its id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": not headless,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        identifier: str = message["header"]["msg_id"]
        return identifier

    def gather(self, request: str, outputs: list[dict[str, Any]], seconds: float = 300) -> dict[str, Any]:
        """Collect outputs until the request's reply, applying updates as a front end does."""
        while True:
            message = self.next(seconds)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            self.apply(message, outputs)
        return self.gather_reply(request, seconds)

    def gather_reply(self, request: str, seconds: float = 300) -> dict[str, Any]:
        """Wait for the reply to a request."""
        while True:
            reply = self._runner.run(self.client.get_shell_msg(timeout=seconds))
            if reply["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = reply["content"]
                return content

    def next(self, seconds: float = 300) -> dict[str, Any]:
        """Return the next message to all front ends."""
        message: dict[str, Any] = self._runner.run(self.client.get_iopub_msg(timeout=seconds))
        return message

    def complete(self, code: str) -> list[str]:
        """Return what Tab offers where `|` stands."""
        matches: list[str] = self._completed(code)["matches"]
        return matches

    def kinds(self, code: str) -> set[str]:
        """Return the types of what Tab offers, of which JupyterLab makes badges."""
        return {each["type"] for each in self._completed(code)["metadata"]["_jupyter_types_experimental"]}

    def _completed(self, code: str) -> dict[str, Any]:
        at = code.index("|")
        reply = self._runner.run(self.client.complete(code[:at] + code[at + 1 :], at, reply=True, timeout=300))
        content: dict[str, Any] = reply["content"]
        return content

    def interrupt(self) -> None:
        """Press the stop button."""
        os.kill(self.manager.provisioner.pid, signal.SIGINT)

    def apply(self, message: dict[str, Any], outputs: list[dict[str, Any]]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "execute_result", "stream", "error"):
            outputs.append({"output_type": kind, **content})
        elif kind == "update_display_data":
            for output in outputs:
                if output.get("transient", {}).get("display_id") == content["transient"]["display_id"]:
                    output["data"] = content["data"]

    def stop(self) -> None:
        self.client.stop_channels()
        self._runner.run(self.manager.shutdown_kernel(now=True))
        self._runner.close()


@pytest.fixture(scope="module")
def _kernels():
    """The kernel that the tests of a module share, if one runs."""
    running = []
    yield running
    for kernel in running:
        kernel.stop()


@pytest.fixture
def kernel_of(_kernels, monkeypatch):
    """Return a function that gives a kernel with the extension, the environment of a simulator, and no names.

    Another test of the module may have had the process, which takes longer to start than most tests; what it made and
    connected is gone. A kernel that does not come back from that is not used again.
    """
    used = []

    def start(simulator):
        monkeypatch.setenv("DEVIN_API_KEY", simulator.api_key)
        monkeypatch.setenv("DEVIN_API_URL", simulator.url)
        if not _kernels:
            _kernels.append(Kernel())
        used.append(_kernels[0])
        used[0].run(before())
        return used[0]

    yield start
    for kernel in used:
        try:
            kernel.run(AFTER, seconds=60)
        except BaseException:
            _kernels.remove(kernel)
            kernel.stop()
            raise


@pytest.fixture
def kernel(kernel_of, simulator):
    """A kernel with the extension loaded and a simulator's key."""
    return kernel_of(simulator)


@pytest.fixture
def connected(shell, monkeypatch):
    """Return a function that connects the shell to a simulator as a person does: through the environment."""
    clients = []

    def connect(simulator, api_key):
        monkeypatch.setenv("DEVIN_API_KEY", api_key)
        monkeypatch.setenv("DEVIN_API_URL", simulator.url)
        clients.append(shell.run("import devin_jupyter as dj; dj.connect()").value)
        return simulator

    yield connect
    for client in clients:
        client.close()
    disconnect()


@pytest.fixture
def service(connected, simulator):
    """A fresh simulator, and the shell connected to it with a v3 key."""
    return connected(simulator, simulator.api_key)


@pytest.fixture
def old_service(connected, simulator):
    """The same with a v1 key."""
    return connected(simulator, simulator.v1_key)


@pytest.fixture
def slow_service(connected, slow_simulator):
    """A simulator in which turns take 240 s, with a v3 key."""
    return connected(slow_simulator, slow_simulator.api_key)
