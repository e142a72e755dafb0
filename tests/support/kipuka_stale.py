"""Networks that Lava or NetX is said not to run, tried all the same, from one import of them.

Each network runs in a process of its own, forked from one that has imported what is needed, so that
one that fails leaves nothing behind for the next.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np

from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.lava.process_sessions import die_with_parent, end_session
from kipuka.deploy.lava.run import _trace

LIMIT_S = 300.0
"""Seconds for all networks together."""


def tried(backend, jobs, folder):
    """Traces of (network, inputs) on a backend of Lava; None for those that it refused."""
    from kipuka.deploy.lava.job_files import JOB_INPUTS, JOB_NETWORK, JOB_TRACE

    folders = [Path(folder) / str(number) for number in range(len(jobs))]
    for own, (network, inputs) in zip(folders, jobs, strict=True):
        own.mkdir()
        save_net(own / JOB_NETWORK, network)
        np.save(own / JOB_INPUTS, inputs)
    words = [sys.executable, __file__, backend, *map(str, folders)]
    with (Path(folder) / "messages").open("w") as messages:
        process = subprocess.Popen(
            words,
            stdout=messages,
            stderr=messages,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert process.wait(LIMIT_S) == 0, f"see {messages.name}"
        finally:
            end_session(process.pid)
            process.wait()
    found = []
    for own, (network, _) in zip(folders, jobs, strict=True):
        if (own / JOB_TRACE).exists():
            with np.load(own / JOB_TRACE) as arrays:
                found.append(_trace(dict(arrays), len(network.layers)))
        else:
            found.append(None)
    return found


def main(backend, folders):
    """Fork a process for each job folder; it writes the trace, or says why not."""
    from kipuka.deploy.lava import worker as lava_worker

    if backend == "netx":
        import kipuka.deploy.lava.netx_graph  # noqa: F401 - imported once, before any fork
    lava_worker.prepare()
    for folder in map(Path, folders):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            continue
        try:
            if backend == "lowered":
                lava_worker.run_lowered_job(folder, lambda: None)
            else:
                lava_worker.run_job(folder, backend == "netx", lambda: None)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)


if __name__ == "__main__":
    die_with_parent(os.getppid())
    main(sys.argv[1], sys.argv[2:])
