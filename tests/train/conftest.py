import importlib.metadata
import importlib.util

# Without the lava extra there is nothing in this folder that could even be imported.
collect_ignore_glob = [] if importlib.util.find_spec("lava") else ["test_*.py", "*/test_*.py"]


def _triton_version():
    try:
        return int(importlib.metadata.version("triton").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0


if _triton_version() < 3:
    # torch before 2.4 brings an older one, whose interpreter does not know all of the language,
    # and torch without GPUs none.
    collect_ignore_glob.append("*/test_triton_*.py")
