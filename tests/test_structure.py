"""The house rules that a machine can check."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {
    "hardware_profiles": set(),
    "convert": {"hardware_profiles"},
    "deploy": {"convert", "hardware_profiles"},
    "train": {"convert", "hardware_profiles"},
}
"""Which folder may import which; all may import the leaf modules."""

LEAVES = {
    "compiling",
    "compiling_notice",
    "display",
    "errors",
    "files",
    "lava_door",
    "lazy",
    "locks",
    "names",
    "screen",
    "strangers",
    "threads",
    "vectors",
    "yaml_text",
}

LAVA_ONLY = {"torch", "lava", "tonic", "safetensors", "sklearn"}
SOURCES = [path for folder in (*FOLDERS, "src") for path in (ROOT / folder).rglob("*.py")]


@functools.cache
def parsed(path):
    """Syntax tree of a file."""
    return ast.parse(path.read_text())


@functools.cache
def code_of(path):
    """Source of a file without comments and docstrings."""
    return re.sub(r'"""[\s\S]*?"""', "", ast.unparse(parsed(path)))


def code_with(path, *names):
    """Source as `code_of` gives it; nothing where none of the names stands in the file."""
    text = path.read_text()
    return code_of(path) if any(name in text for name in names) else ""


@functools.cache
def imports(path, top_level_only=False):
    tree = parsed(path)
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_look_only_where_they_may(folder):
    for path in (ROOT / folder).rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "kipuka":
                assert len(parts) > 1, f"{path} imports kipuka itself"
                allowed = FOLDERS[folder] | LEAVES | {folder}
                assert parts[1] in allowed, f"{path} imports {name}"


LAVA_FILES = {
    "deploy/lava/channels.py",
    "deploy/lava/graph.py",
    "deploy/lava/hosting.py",
    "deploy/lava/lowered_network.py",
    "deploy/lava/netx_graph.py",
    "deploy/lava/processes/spiking_gru.py",
    "deploy/lava/processes/spiking_gru_model.py",
    "deploy/lava/processes/spiking_mgu.py",
    "deploy/lava/processes/spiking_mgu_model.py",
    "deploy/lava/shortcuts.py",
    "deploy/lava/turns.py",
    "deploy/lava/worker.py",
}
"""Files that import Lava as they are loaded, in processes that have been started for it."""


def test_what_needs_no_lava_imports_none_of_it():
    for folder in ("hardware_profiles", "convert", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            if str(path.relative_to(ROOT)) not in LAVA_FILES:
                found = {name.split(".")[0] for name in imports(path, top_level_only=True)}
                assert not found & LAVA_ONLY, path


def test_lava_is_imported_in_few_files_and_behind_its_door():
    # Importing kipuka opens the door: the package's own files stand behind it.
    own = LAVA_FILES | {"train/slayer.py", "deploy/loihi2/board.py"}
    for path in SOURCES:
        if str(path.relative_to(ROOT)) not in own:
            assert not _lava(imports(path)), path
            assert "import_module('lava" not in code_with(path, "import_module"), path
    # Others first import something of Kipuka's, or import Lava in a function that runs later.
    for folder in ("tests", "benchmarks", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            if "lava" in path.read_text() and _lava(imports(path)):
                names = imports(path, top_level_only=True)
                kipuka = [k for k, name in enumerate(names) if name.split(".")[0] == "kipuka"]
                assert kipuka, path
                assert not _lava(names[: kipuka[0]]), path


def _lava(names):
    return [name for name in names if name.split(".")[0] == "lava"]


def test_every_package_is_listed():
    text = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"(?s)\npackages = \[(.*?)\]", text)[1]
    listed = set(re.findall(r'"(kipuka[a-z_.0-9]*)"', packages))
    found = {
        ".".join(init.parent.relative_to(ROOT / "src").parts)
        for init in (ROOT / "src").rglob("__init__.py")
    }
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            found.add(".".join(("kipuka", *parts)))
    assert listed == found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_readable(path):
    assert len(path.read_text().splitlines()) < 700
    assert ast.get_docstring(parsed(path)), f"{path} does not say what it is for"
    assert path.stem not in ("utils", "helpers", "misc")


CONSTANTS = {4096, 4095, 8388607, 8388608, 131071, 131072, 16777216, 62}


@pytest.mark.parametrize("folder", ["convert", "deploy", "train", "src"])
def test_chip_constants_stand_in_one_place(folder):
    for path in (ROOT / folder).rglob("*.py"):
        if path.name == "fixed.py":
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and type(node.value) is int:
                assert node.value not in CONSTANTS, f"{path}:{node.lineno} has {node.value}"


def test_only_a_model_s_own_files_ask_for_its_parameters():
    for path in SOURCES:
        code = code_with(path, "Parameters")
        assert not re.search(r"isinstance\([^)]*Parameters", code), path


def test_version_and_changelog_agree():
    from kipuka import __version__

    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first[1] == __version__


@pytest.mark.parametrize("folder", FOLDERS)
def test_public_names_exist_and_are_listed_once(folder):
    import importlib

    if folder == "train":
        pytest.importorskip("lava", reason="needs the lava extra")
    module = importlib.import_module(f"kipuka.{folder}")
    assert all(hasattr(module, name) for name in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


def test_every_refusal_in_the_tests_is_checked_part_by_part():
    functions = 0
    for path in (ROOT / "tests").rglob("test_*.py"):
        nodes = ast.walk(parsed(path)) if path != Path(__file__) else ()
        for text in (ast.unparse(node) for node in nodes if isinstance(node, ast.FunctionDef)):
            caught = len(re.findall(r"raises\(KipukaError.*\) as \w+", text))
            assert caught == text.count("raises(KipukaError"), f"{path}: {text}"
            # Called here, or handed to a helper that calls it.
            checked = re.search(r"check_error\(|\w+\(check_error, ", text.partition(":\n")[2])
            assert not caught or checked, f"{path}: {text}"
            functions += bool(caught)
    assert functions > 50


def test_files_from_strangers_are_opened_in_one_place_each():
    doors = {
        "h5py.File(": {"convert/formats/guarded/hdf5.py", "convert/formats/net/file.py"},
        "yaml.safe_load(": set(),
        "yaml.load(": set(),
        "pickle": set(),
        "torch.load(": set(),
        "allow_pickle=True": set(),
        "load_file(": set(),
        # Kipuka's own, in a folder that it has just made.
        "np.load(": {"deploy/lava/run.py", "deploy/lava/worker.py"},
    }
    # Formatted source has no blank in front of a parenthesis.
    names = [door.rpartition(".")[2] for door in doors]
    for path in SOURCES:
        code = code_with(path, *names)
        for door, allowed in doors.items():
            name = str(path.relative_to(ROOT))
            assert door not in code or name in allowed, f"{name} has {door}"


def test_threads_are_made_in_one_place():
    # Those of Lava's workers, and of who reads what they print, run none of our kernels.
    allowed = {"src/kipuka/threads.py", "deploy/lava/run.py", "deploy/lava/turns.py"}
    for path in SOURCES:
        code = code_with(path, "Thread")
        made = re.search(r"Thread(PoolExecutor)?\(", code)
        assert not made or str(path.relative_to(ROOT)) in allowed, path


def test_no_loop_with_a_condition_lets_ctrl_c_past_a_handler():
    # CPython 3.12 and 3.13 look for Ctrl-C as such a loop begins anew, and have forgotten there
    # that it stands in a try or a with: locks stay held, threads are not waited for.
    for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Try | ast.With):
                for loop in _of_this_function(node):
                    endless = isinstance(loop, ast.While) and ast.unparse(loop.test) == "True"
                    assert endless or not isinstance(loop, ast.While), f"{path}:{loop.lineno}"


def _of_this_function(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from _of_this_function(child)


MODULES = {
    ".".join(("kipuka", *path.relative_to(top).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for top, folder in ((ROOT / "src/kipuka", "."), *((ROOT, folder) for folder in FOLDERS))
    for path in (top / folder).rglob("*.py")
}

FOR_TYPING_ALONE = {
    ("kipuka.convert.rules.arrays", "kipuka.convert.program"),
    ("kipuka.convert.rules.program", "kipuka.convert.program"),
    ("kipuka.convert.rules.projections", "kipuka.convert.program"),
}
"""Imports for the type checker that close a circle: a Program asks its rules, which speak of it."""


def _for_typing(tree):
    """Import statements below ``if TYPE_CHECKING``."""
    tests = (n for n in ast.walk(tree) if isinstance(n, ast.If))
    found = (n for n in tests if ast.unparse(n.test) == "TYPE_CHECKING")
    return {inner for n in found for inner in ast.walk(n)}


def _imported_modules(path):
    """Modules of Kipuka that a file imports anywhere, and whether only the type checker does."""
    tree = parsed(path)
    typing = _for_typing(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inner]
        else:
            continue
        yield from ((name, node in typing) for name in names if name in MODULES)


def test_no_imports_go_round_in_a_circle():
    graph, unused = {}, set(FOR_TYPING_ALONE)
    for module, path in MODULES.items():
        graph[module] = set()
        for name, typing in _imported_modules(path):
            if typing and (module, name) in FOR_TYPING_ALONE:
                unused.discard((module, name))
            else:
                graph[module].add(name)
    assert not unused
    left = dict(graph)
    while ready := [module for module, names in left.items() if not names & left.keys()]:
        for module in ready:
            del left[module]
    assert not left, f"a circle among {sorted(left)}"


def test_no_folder_has_more_than_16_modules():
    for folder in {path.parent for path in SOURCES}:
        modules = [path for path in folder.glob("*.py") if path.stem != "__init__"]
        assert len(modules) <= 16, folder


def test_no_module_shares_its_name_with_what_its_package_exports():
    packages = {name: path for name, path in MODULES.items() if path.name == "__init__.py"}
    assert len(packages) > 20
    for package, init in packages.items():
        exported = set()
        for node in parsed(init).body:
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    names = {alias.name for alias in inner.names}
                    exported |= {n for n in names if f"{inner.module}.{n}" not in MODULES}
                elif isinstance(inner, ast.FunctionDef | ast.ClassDef):
                    exported.add(inner.name)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                strings = (n for n in ast.walk(node.value) if isinstance(n, ast.Constant))
                exported |= {string.value for string in strings}
        clashes = {name for name in exported if f"{package}.{name}" in MODULES}
        assert not clashes, init


def test_a_report_has_the_glossary_of_the_documentation():
    shown = (ROOT / "docs" / "glossary.md").read_text()
    kept = (ROOT / "deploy" / "report" / "glossary.md").read_text()
    assert kept == shown, "copy docs/glossary.md to deploy/report/glossary.md"
