"""Hostile folders: ``PYTHONPATH=tests/support python -m kipuka_hostile --count 1000``.

Each seed copies good folders (a run, recordings, networks, places for outputs), disturbs some of
what is in them (links, pipes, devices, folders in the place of files, holes, odd names, locks of
others ...), and runs a command on them. It has to end within `SECONDS`, well or in one paragraph,
and whatever happens nothing beyond the folders may change.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import socket
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import h5py
import numpy as np

from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import program, random_cuba, random_gru, random_spikes
from kipuka_options import pick, run

SECONDS, SILENCE_S = 60, 600
"""Of the processor that a command may take, and of the clock if it waits for something."""

TIMERS = ((signal.ITIMER_PROF, SECONDS), (signal.ITIMER_REAL, SILENCE_S))
UNITS, STEPS, CLASSES = 5, 9, 2

NAMES = (
    "m{x}", "{0}", "%s%n", "[bold red]", "$x_{1}$", "\x1b[31mred", "a\nb", "\udcff", "µ×é",
    "🔥", "\u202egnp", "-x", " ", "~", "a" * 200, "<b>&amp;", "'\"`;", "test", "train", ".hidden",
)  # fmt: skip
"""Names that a file can have."""


class Hang(BaseException):
    """A command has not ended; no handler of errors may keep it."""


@contextlib.contextmanager
def within(folder):
    """Make a folder the current one within the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_good(folder, with_training):
    """Make the folders that are disturbed, and the one beyond them that nothing may change."""
    rng = np.random.default_rng(0)
    for name in ("beyond", "nets", "outputs", "parts", "classes", "heidelberg"):
        (folder / name).mkdir()
    network = program(UNITS, random_gru(rng, UNITS, 4), random_cuba(rng, 4, CLASSES))
    vectors = golden_vectors(network, random_spikes(rng, 2, UNITS, STEPS))
    for name in ("nets/a.net", "nets/b.net", "beyond/c.net"):
        save_net(folder / name, network, vectors)
    spikes = random_spikes(rng, 3, UNITS, STEPS).astype(np.uint8)
    for name in ("nets/x.npy", "beyond/y.npy"):
        np.save(folder / name, spikes)
    (folder / "nets/chip.yaml").write_text("name: x\n")
    (folder / "beyond/precious.txt").write_text("precious")
    (folder / "beyond/folder").mkdir()
    for name in ("out.json", "out.npy", "out.html"):
        (folder / "outputs" / name).write_text("old")
    _make_recordings(folder, rng)
    if with_training:
        _make_run(folder)


def _make_recordings(folder, rng):
    for name, count in (("parts/train", 8), ("parts/test", 4), ("beyond/test", 4), ("nets/e", 4)):
        _events(rng, folder / f"{name}.npz", count, labels=np.arange(count) % CLASSES)
    for name in "ab":
        (folder / "classes" / name).mkdir()
        for number in range(6):
            _events(rng, folder / "classes" / name / f"{number}.npz")
    for name in ("train", "test"):
        with h5py.File(folder / f"heidelberg/{name}.h5", "w") as file:
            for key, dtype in (("times", np.float32), ("units", np.uint16)):
                rows = file.create_dataset(f"spikes/{key}", (8,), h5py.vlen_dtype(dtype))
                for k in range(8):
                    values = rng.random(5) / 20 if key == "times" else rng.integers(0, UNITS, 5)
                    rows[k] = values.astype(dtype)
            file["labels"], file["n_units"] = np.arange(8) % CLASSES, UNITS


def _events(rng, path, count=1, **more):
    times = np.concatenate([rng.permutation(STEPS)[:4] for _ in range(count)])
    samples = {"samples": np.repeat(np.arange(count), 4)} if more else {}
    units = rng.integers(0, UNITS, times.size)
    np.savez(path, times=times, units=units, n_steps=STEPS, n_units=UNITS, **samples, **more)


def _make_run(folder):
    from kipuka.commands.app import main

    words = ["train", "--out", "run", "--data", "parts", "--network", "sgru", "--hidden", "3"]
    with within(folder):
        assert main([*words, "--epochs", "1"]) == 0


def state_of(folder):
    """What is in a folder: kinds, contents and links, by path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        link = path.readlink() if path.is_symlink() else None
        found[path] = (about.st_mode, content, link)
    return found


def _targets(root):
    return (
        root / "beyond/precious.txt", root / "beyond/c.net", root / "beyond/y.npy", root / "beyond",
        root / "beyond/folder", root / "beyond/test.npz", root / "beyond/none", Path(),
        Path(".."), Path("/dev/zero"), Path("/dev/full"), Path("/dev/null"), Path("/dev/tty"),
        Path("/proc/self/mem"), Path("/proc/self/fd/0"), Path("/proc/self/environ"),
        Path("x" * 255),
        root / "nets/a.net", root / "parts", root / "run",
    )  # fmt: skip


def disturb(rng, root, path, held):
    """Put something else in the place of a file or folder, or change it.

    Parameters
    ----------
    rng : numpy.random.Generator
    root : Path
    path : Path
        It need not be there.
    held : contextlib.ExitStack
        Keeps locks until the command has ended.
    """
    kind = int(rng.integers(14))
    if kind == 0:
        _chain(path)
    elif kind == 1 and path.is_file() and not path.is_symlink():
        os.truncate(path, int(rng.choice([0, 1, 100, 1 << 20, 1 << 36])))
    elif kind == 2 and path.is_file() and not path.is_symlink():
        content = bytearray(path.read_bytes())
        for place in rng.integers(0, max(len(content), 1), 5):
            content[place : place + 1] = bytes([int(rng.integers(256))])
        path.write_bytes(content)
    elif kind == 3 and (path.exists() or path.is_symlink()):
        with contextlib.suppress(OSError):
            path.rename(path.with_name(pick(rng, NAMES) + pick(rng, (path.suffix, ""))))
    elif kind == 4:
        _lock(path if path.is_dir() else path.parent, held)
    elif kind == 5 and path.exists() and not path.is_symlink():
        path.chmod(int(rng.choice([0, 0o200, 0o444, 0o111])))
    elif kind == 6:
        _hard_link(path, root / "beyond/precious.txt")
    else:
        _replace(rng, root, path, kind)


def _remove(path):
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def _replace(rng, root, path, kind):
    is_folder = path.is_dir() and not path.is_symlink()
    _remove(path)
    if kind == 7:
        os.mkfifo(path)
    elif kind == 8:
        with socket.socket(socket.AF_UNIX) as one, within(path.parent):
            one.bind(path.name[:90])
    elif kind == 9:
        path.write_bytes(b"") if is_folder else path.mkdir()
    elif kind == 10:
        path.mkdir()
        (path / pick(rng, ("train", "config.yaml", "x"))).symlink_to(".")
    else:
        path.symlink_to(pick(rng, _targets(root)))


def _chain(path):
    """Folders within folders, more than a program calls itself, as long as names may be."""
    path = path if path.is_dir() else path.parent
    for _ in range(300):
        path = path / "train"
        with contextlib.suppress(FileExistsError):
            path.mkdir()


def _hard_link(path, target):
    if not path.is_dir():
        path.unlink(missing_ok=True)
        os.link(target, path)


def _lock(folder, held):
    """Hold the folder and the lock file, as another process would."""
    for path, flags in ((folder, os.O_RDONLY), (folder / ".lock", os.O_RDWR | os.O_CREAT)):
        with contextlib.suppress(OSError):
            handle = os.open(path, flags | os.O_NONBLOCK)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def command(rng, with_training):
    """Words of a command line, and the folders whose files may be disturbed for it."""
    lines = [
        "inspect nets/a.net --json outputs/out.json",
        "simulate nets/a.net --input nets/x.npy --output outputs/out.npy --json outputs/out.json",
        "simulate nets/a.net --input nets/e.npz --output outputs/new.npy",
        "verify nets/a.net --backends reference,fast --json outputs/out.json",
        "verify nets/a.net --backends reference,fast --input nets/x.npy",
        "profile nets/a.net --data nets/x.npy --json outputs/out.json",
        "profile nets/a.net --compare nets/b.net --json outputs/new.json",
        "hardware check nets/chip.yaml",
        "hardware show nets/chip.yaml --json outputs/out.json",
        "deploy nets/a.net --dry-run --input nets/x.npy --json outputs/out.json",
        "convert nets/a.net --output outputs/new.net",
    ]
    trained = [
        "train --out run --resume --data parts",
        "train --out run --resume --data parts --json outputs/out.json",
        "train --out run --data parts",
        "train --out outputs/new --epochs 1 --hidden 2 --network sgru --data {data}",
        "train --out outputs --epochs 1 --hidden 3 --network sgru --data parts --start run",
        "train --out outputs/new --data parts --config run/config.yaml",
        "convert run --data {data} --output outputs/new.net --json outputs/out.json",
        "convert run --data parts --output run/other.net",
        "profile run/model.net --data {data} --report outputs/out.html --json outputs/new.json",
        "profile nets/a.net --data {data} --json outputs/out.json",
    ]
    line = pick(rng, lines + 2 * trained if with_training else lines)
    return line.format(data=pick(rng, ("parts", "classes", "heidelberg"))).split()


OWN = (".lock", "config.yaml", "checkpoint.safetensors", "state.safetensors", "metrics.jsonl",
       "model.net", "tensorboard", ".kipuka", "train", "test.npz", "test",
       "validation.h5")  # fmt: skip
"""Names that a folder may get something under."""


def places(rng, words, root):
    """Paths that the command reads or writes, or beside them, to be disturbed."""
    named = [root / word for word in words if (root / word.split("/")[0]).is_dir()]
    for _ in range(int(rng.integers(1, 4))):
        path = pick(rng, named)
        if os.path.isdir(path) and rng.random() < 0.9:  # noqa: PTH112 - never an error
            inner = [*sorted(path.rglob("*")), *(path / name for name in OWN)]
            path = pick(rng, inner)
        yield path


def run_seed(seed, good, root, with_training):
    """Disturb, run and compare; return the exit status.

    Parameters
    ----------
    seed : int
    good : Path
        Folder that `make_good` has filled.
    root : Path
        Folder that takes the copy.
    with_training : bool
    """
    rng = np.random.default_rng([seed, 18])
    _empty(root)
    shutil.copytree(good, root, dirs_exist_ok=True)
    words = command(rng, with_training)
    with contextlib.ExitStack() as held:
        held.enter_context(within(root))
        # What a user names as an output may be a link on purpose; what it leads to is written.
        for path in places(rng, words, root):
            if not path.is_relative_to(root / "beyond"):
                # An earlier disturbance may have taken it, or the right to touch it.
                with contextlib.suppress(OSError):
                    disturb(rng, root, path, held)
        before = state_of(root / "beyond")
        kept = {p: s for p, s in _files(root).items() if not _may_change(p, words, root)}
        flags = ("--output", "--json", "--report")
        named = [word for flag, word in itertools.pairwise(words) if flag in flags]
        asked_for = {Path(os.path.realpath(word)) for word in named}
        for timer, seconds in TIMERS:
            signal.setitimer(timer, seconds)
        try:
            status = _ended(words)
        finally:
            for timer, _ in TIMERS:
                signal.setitimer(timer, 0)
        changed = {p for p, s in state_of(root / "beyond").items() if before.get(p) != s}
        after = _files(root)
        lost = {p for p, s in kept.items() if after.get(p) != s and p not in asked_for}
    other = set(state_of(root / "beyond")) ^ set(before)
    assert not (other | changed) - asked_for, f"{words}: {other | changed}"
    assert not lost, f"{words}: {lost}"
    return status


def _ended(words):
    """Exit status of a command, which ends well, or in one paragraph after lines of progress."""
    status, out, err = run(words, "utf-8")
    told = f"{words}: {status}\n{err}"
    assert status in (0, 2), told
    assert all(c.isprintable() or c in "\n\xa0\u202f" for c in out + err), told
    last = err.splitlines()[-1:] or [""]
    assert last[0].startswith("kipuka: ") == (status == 2), told
    assert status == 0 or last[0].endswith("."), told
    return status


def _may_change(path, words, root):
    folders = [root / word for word in words if word in ("run", "outputs")]
    named = {root / word for word in words if word.startswith("outputs")}
    resumed = "--out" in words
    is_own = resumed and any(path.is_relative_to(folder) for folder in folders)
    return is_own or path in named


def _files(root):
    """Contents of the regular files that a command may read."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            with contextlib.suppress(PermissionError):
                if path.is_file() and not path.is_symlink() and path.lstat().st_size < 1 << 20:
                    found[path] = path.read_bytes()
    return found


def _empty(root):
    for folder, inner, _ in os.walk(root):
        for path in (Path(folder) / name for name in inner):
            if not path.is_symlink():
                path.chmod(0o700)
    for path in root.iterdir():
        _remove(path)


@contextlib.contextmanager
def ready(with_training):
    """Good folder and one for copies, with an alarm for what hangs."""

    def hang(*_):
        raise Hang

    before = [(one, signal.signal(one, hang)) for one in (signal.SIGALRM, signal.SIGPROF)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            good, root = Path(folder) / "good", Path(folder) / "root"
            good.mkdir()
            root.mkdir()
            with contextlib.redirect_stdout(sys.stderr):
                make_good(good, with_training)
            yield good, root
            _empty(root)
    finally:
        for one, handler in before:
            signal.signal(one, handler)


def command_line():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--without-training", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("error")
    findings, ended = 0, {}
    with_training = not given.without_training
    with ready(with_training) as (good, root):
        for seed in range(given.first, given.first + given.count):
            try:
                status = run_seed(seed, good, root, with_training)
                ended[status] = ended.get(status, 0) + 1
            except (Exception, Hang):
                findings += 1
                print(f"seed {seed}:", traceback.format_exc()[-1500:], flush=True)  # noqa: T201
    print(ended, f"{findings} findings")  # noqa: T201
    return findings


if __name__ == "__main__":
    sys.exit(bool(command_line()))
