"""docs/dependencies.md names what pyproject.toml asks for, and its reasons hold in the sources."""

import ast
import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
FOLDERS = ("convert", "deploy", "hardware_profiles", "src", "train")
SOURCES = {path: path.read_text() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
PACKAGE_OF = {"yaml": "pyyaml", "sklearn": "scikit-learn", "lava": "lava-nc"}
"""Packages whose modules have another name; lava-dl's stand under lava too."""


def sections():
    """Tables of the page by their headings, each row a list of cells."""
    parts = re.split(r"^## ", (ROOT / "docs" / "dependencies.md").read_text(), flags=re.MULTILINE)
    tables = {}
    for part in parts[1:]:
        rows = [line for line in part.splitlines() if line.startswith("| ")]
        tables[part.splitlines()[0]] = [re.split(r" ?\| ?", row)[1:-1] for row in rows[1:]]
    return tables


def packages(heading):
    """Names in the first column of a table."""
    return {row[0].strip("`").lower() for row in sections()[heading]}


def required(*keys):
    """Names that a list in pyproject.toml asks for, besides Kipuka's own extra."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for key in keys:
        listed = listed[key]
    return {re.match(r"[\w-]+", line)[0].lower() for line in listed} - {"kipuka"}


def runtime():
    """Names that the installed package asks for."""
    extras = ("project", "optional-dependencies")
    lava = required(*extras, "lava") | required(*extras, "training")
    return required("project", "dependencies"), lava


def for_lava():
    """Names of what lava-dl and lava-nc import and Kipuka does not."""
    return packages("Asked for on behalf of Lava")


def test_the_page_lists_what_is_asked_for_and_nothing_else():
    always, lava = runtime()
    assert packages("Always needed") == always
    assert packages("The extras `training` and `lava`") | for_lava() == lava - always
    assert packages("Development") == required("dependency-groups", "dev")


def test_every_package_has_a_reason_and_a_substitute():
    for rows in list(sections().values())[1:5]:
        assert rows
        for name, why, instead, _ in rows:
            assert why, name
            assert instead, name


def test_every_import_is_asked_for_or_comes_with_what_is():
    known = set.union(*runtime())
    indirect = packages("Imported, and required by one of those")
    assert not indirect & known
    found = set()
    for text in SOURCES.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    outside = {name for name in found if name not in {*sys.stdlib_module_names, "kipuka"}}
    named = {PACKAGE_OF.get(name, name) for name in outside}
    assert named | {"lava-dl"} | for_lava() == known | indirect


def test_no_source_uses_what_an_advisory_is_about():
    rows = sections()["Advisories against torch 2.3.1"]
    assert len(rows) > 10
    for advisory, part, *_, verdict in rows:
        assert verdict.startswith("no"), advisory
        names = re.findall(r"`(torch\.[\w.]+)`", part)
        assert names, advisory
        for name in names:
            last = name.rpartition(".")[2]
            own = re.compile(rf"\b(?:{re.escape(name)}\b|(?<=import ){last}\b)")
            for path, text in SOURCES.items():
                assert not own.search(text), f"{path} uses {name}"


def test_kernels_are_compiled_ahead_with_what_they_are_compiled_with_later():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setuptools, *others = project["build-system"]["requires"]
    assert setuptools.startswith("setuptools") and len(others) == 2
    assert set(others) <= set(project["project"]["dependencies"])
