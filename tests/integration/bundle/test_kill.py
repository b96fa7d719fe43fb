"""Killed with SIGKILL at any moment, an installation has happened or it has not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.bundle.reading import Bundle
from edge_runtime.bundle.store import install, load, rollback
from edge_runtime.bundle.trust import TrustedKeys
from model_export.bundling import make_bundle
from model_export.signing import keygen, load_key
from tests.integration.bundle.conftest import Parts
from tests.unit.bundle.conftest import content, key, trusted, version

__all__ = ["content", "key", "trusted", "version"]

Version = Callable[[int], Bundle]

ROOT = Path(__file__).parents[3]


def works(_: Path) -> None:
    """The files of these bundles are no models."""


def in_child(act: Callable[[], object], prepare: Callable[[], None]) -> int:
    """Run `act` in a forked child; its wait status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            prepare()
            act()
            status = 0
        finally:
            os._exit(status)  # whatever happens, the child must not go on as a second pytest
    return os.waitpid(pid, 0)[1]


def killed_at(step: int, within: Path) -> Callable[[], None]:
    """Kill this process before its `step`th change of a file or look at one in `within`."""
    left = step

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if not event.startswith(("open", "os.", "shutil.", "tempfile.")):
            return
        if any(str(within) in str(argument) for argument in arguments):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(count)


def run(store: Path, trusted: TrustedKeys) -> int:
    """The version that runs, whole and verified."""
    return load(store, "person", trusted).manifest.version


def leftovers(store: Path) -> int:
    return sum(path.is_dir() for path in (store / "person").iterdir())


@pytest.mark.parametrize("action", ["install", "rollback"])
def test_a_kill_at_any_step_leaves_the_old_or_the_new(
    action: str, tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    step, died, outcomes = 0, True, set()
    while died:
        step += 1
        store = tmp_path / str(step)
        for number in (1, 2):
            install(version(number), store, prove=works)
        new = version(3)

        def act(store: Path = store, new: Bundle = new) -> object:
            if action == "rollback":
                return rollback(store, "person", trusted, prove=works)
            return install(new, store, prove=works)

        status = in_child(act, killed_at(step, store))
        died = os.WIFSIGNALED(status)
        outcomes.add(run(store, trusted))
        # Whatever was left behind, the next installation works and removes it.
        after = install(version(4), store, prove=works)
        assert after.previous in ((2, 3) if action == "install" else (1, 2))
        assert run(store, trusted) == 4
        assert leftovers(store) == 2
        assert not list((store / "person").glob("*.new"))
    assert os.waitstatus_to_exitcode(status) == 0
    assert step > 10
    assert outcomes == ({2, 3} if action == "install" else {2, 1})


def test_a_first_installation_that_is_killed_leaves_nothing_installed(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    step, died = 0, True
    while died:
        step += 1
        store = tmp_path / str(step)
        status = in_child(
            lambda store=store: install(version(1), store, prove=works), killed_at(step, store)
        )
        died = os.WIFSIGNALED(status)
        install(version(1), store, prove=works)
        assert run(store, trusted) == 1
        assert leftovers(store) == 1
    assert step > 10


def test_kills_at_random_moments_leave_a_version_that_is_whole(
    tmp_path: Path, version: Version, trusted: TrustedKeys
) -> None:
    moments = random.Random(11)
    newest = 1
    install(version(1), tmp_path, prove=works)
    bundles = [version(number) for number in range(2, 600)]
    for kill in range(300):
        if kill >= 30 and newest > 20:  # a busy disk installs less between two kills
            break
        pid = os.fork()
        if pid == 0:
            try:
                for bundle in bundles[newest - 1 :]:
                    install(bundle, tmp_path, prove=works)
            finally:
                os._exit(1)
        time.sleep(moments.uniform(0.002, 0.06))
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        found = run(tmp_path, trusted)
        assert found >= newest
        newest = found
    assert newest > 20


INSTALL = """
import sys
from pathlib import Path
from edge_runtime.bundle.reading import read
from edge_runtime.bundle.store import install
from edge_runtime.bundle.trust import TrustedKeys
print("starts", flush=True)
install(read(Path(sys.argv[1]), TrustedKeys.read(Path(sys.argv[2]))), Path(sys.argv[3]))
"""


def test_a_kill_while_a_real_model_is_tried_leaves_the_old_one(
    tmp_path: Path, parts: Parts
) -> None:
    pair = keygen(tmp_path / "bank.key", "correct horse")
    signing = load_key(pair.private, "correct horse")
    trusted = TrustedKeys.read(pair.public)
    paths = [make_bundle(parts(version=number), signing, tmp_path / "dist") for number in (1, 2)]
    store = tmp_path / "store"
    command = [sys.executable, "-c", INSTALL]
    subprocess.run([*command, paths[0], pair.public, store], cwd=ROOT, check=True)
    for delay in (0.02, 0.2, 0.4):
        child = subprocess.Popen(
            [*command, paths[1], pair.public, store], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.kill()
        child.wait()
        child.stdout.close()
        assert load(store, "vww", trusted).manifest.version in (1, 2)
    subprocess.run([*command, paths[1], pair.public, store], cwd=ROOT, check=True)
    installed = load(store, "vww", trusted)
    assert (installed.manifest.version, installed.previous) == (2, 1)
    assert sum(path.is_dir() for path in (store / "vww").iterdir()) == 2
