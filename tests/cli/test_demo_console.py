"""The console beside the demo: it finds a port, shows what was found, and ends with the demo."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from pipeline.cli.demo_console import Console, ConsoleError, console, wait_for_cases
from pipeline.events.outbox import Outbox
from pipeline.ioc.config import IocConfig, load_ioc
from tests.conftest import ROOT
from tests.events import examples
from tests.waiting import wait_for

OWNER = """
import sys, time
from pathlib import Path
from pipeline.cli.demo_console import console
from pipeline.ioc.config import load_ioc
if __name__ == "__main__":
    with console(load_ioc(Path(sys.argv[1]))) as opened:
        print(opened.pid, flush=True)
        time.sleep(300)
"""


@pytest.fixture
def config(tmp_path: Path) -> IocConfig:
    """The demo's own, over an outbox with acts of two kinds in it."""
    shutil.copytree(ROOT / "configs" / "demo", tmp_path / "configs" / "demo")
    (tmp_path / "data" / "demo").mkdir(parents=True)
    outbox = Outbox(tmp_path / "data" / "demo" / "outbox.db")
    for track in range(60):
        outbox.put(examples.candidate("south", track, time.time() - track))
    outbox.put(examples.incident("road-east", 99, time.time()))
    outbox.close()
    return load_ioc(tmp_path / "configs" / "demo" / "ioc.yaml")


@pytest.mark.slow
def test_it_takes_the_next_free_port_and_shows_every_act(config: IocConfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = config.server.model_copy(update={"port": port})
        with console(config.model_copy(update={"server": server})) as opened:
            assert not opened.url.endswith(f":{port}")
            assert opened.url.startswith("http://localhost:")
            expected = Counter(red_light=60, intrusion=1)
            assert wait_for_cases(opened, expected, 20) == expected
            assert len(opened.admin_password) >= 16
            wrong = Console(opened.url, opened.admin_password, "another password", opened.pid)
            with pytest.raises(OSError, match="401"):
                wait_for_cases(wrong, expected, 0)
    assert not psutil.pid_exists(opened.pid)


@pytest.mark.slow
def test_it_ends_with_a_demo_that_is_killed(config: IocConfig, tmp_path: Path) -> None:
    (tmp_path / "owner.py").write_text(OWNER)
    command = [sys.executable, str(tmp_path / "owner.py"), str(tmp_path / "configs" / "demo" / "ioc.yaml")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = (tmp_path / "configs" / "demo" / "ioc.yaml").read_text()
    (tmp_path / "configs" / "demo" / "ioc.yaml").write_text(text.replace("port: 8000", f"port: {port}"))
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    try:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
    assert wait_for(lambda: not child.is_running(), 20)


def test_a_console_that_cannot_be_says_why(config: IocConfig, tmp_path: Path) -> None:
    (tmp_path / "data" / "demo" / "ioc").write_text("a file where a folder must be")
    with pytest.raises(ConsoleError, match=r"ioc\.sqlite"), console(config):
        pass
