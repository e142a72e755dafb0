"""Documents say what is so: their examples run, their links and paths lead somewhere."""

import doctest
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = {
    "convert": "kipuka.convert",
    "deploy": "kipuka.deploy",
    "hardware_profiles": "kipuka.hardware_profiles",
    "plot": "kipuka.deploy.report.axes",
    "train": "kipuka.train",
}
"""Packages with public names, by their page in docs/api."""

README_WORDS_MAX = 800

FOLDERS = "convert|deploy|train|hardware_profiles|src/kipuka|tests|docs|benchmarks|examples"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_interactive_examples_give_what_is_printed(page):
    failed, _ = doctest.testfile(str(page), module_relative=False)
    assert not failed


def test_the_semantics_are_worked_through():
    _, tried = doctest.testfile(str(ROOT / "docs" / "semantics.md"), module_relative=False)
    assert tried > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links {target}"
    for path in PATH.findall(text):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def test_names_in_docstrings_lead_somewhere():
    for folder in (*PACKAGES.keys() - {"plot"}, "src/kipuka"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"`kipuka\.([\w.]+)`", path.read_text()):
                assert leads_somewhere(name.split(".")), f"{path} names kipuka.{name}"


def leads_somewhere(names):
    """Whether there is such a module, or one that has the name that follows."""
    for known in range(len(names), -1, -1):
        for root in (ROOT, ROOT / "src" / "kipuka"):
            place = root.joinpath(*names[:known])
            file = place.with_name(place.name + ".py")
            file = file if file.is_file() else place / "__init__.py"
            if file.is_file():
                text, rest = file.read_text(), names[known:]
                return not rest or re.search(rf"\b{rest[0]}\b", text) is not None
    return False


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= README_WORDS_MAX


def test_the_readme_says_what_its_picture_was_drawn_from():
    from PIL import Image

    with Image.open(ROOT / "docs" / "demo.png") as picture:
        kept = json.loads(picture.info["Description"])
    low, high = (100 * bound for bound in kept["interval_95"])
    correct, samples = kept["correct"], kept["samples"]
    energy, latency = (
        [kept[key][name] * 1e6 for name in ("typical", "low", "high")]
        for key in ("dynamic_energy_j", "latency_s")
    )
    text = " ".join((ROOT / "README.md").read_text().split())
    for part in (
        f"version {kept['version']},",
        f"{correct} of {samples} test samples correct ({100 * correct / samples:.2f} %, ",
        f"95 % interval {low:.1f} to {high:.1f} %)",
        f"{kept['values_compared']:,} spikes and state values",
        f"{kept['mismatches']} mismatches",
        "energy on Loihi 2 {:.2f} µJ ({:.2f} to {:.2f} µJ)".format(*energy),
        "latency at least {:.0f} µs ({:.0f} to {:.0f} µs)".format(*latency),
    ):
        assert part in text


def test_the_architecture_page_names_every_folder():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for folder in ("convert", "deploy", "train", "src/kipuka"):
        for init in (ROOT / folder).rglob("__init__.py"):
            name = str(init.parent.relative_to(ROOT))
            assert f"{name}/" in text, f"docs/architecture.md does not say what {name} is"


def test_terms_are_explained_in_alphabetical_order():
    text = (ROOT / "docs" / "glossary.md").read_text()
    terms = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    assert len(terms) >= 40
    assert terms == sorted(terms, key=str.lower)


def test_the_citation_is_of_this_version():
    import kipuka

    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {kipuka.__version__}\n" in citation


def test_every_page_has_its_place_in_the_site():
    named = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    docs = ROOT / "docs"
    assert sorted(named) == sorted(str(page.relative_to(docs)) for page in docs.rglob("*.md"))


def public(page):
    if page == "train":
        pytest.importorskip("torch", reason="training is not installed")
    package = importlib.import_module(PACKAGES[page])
    return {name: getattr(package, name) for name in package.__all__}


def documented(function):
    """Names under the heading Parameters of a docstring in numpydoc's form."""
    _, _, rest = inspect.getdoc(function).partition("Parameters\n----------\n")
    section = re.split(r"\n[A-Z]\w+\n-+\n", rest)[0]
    heads = [line.split(" : ")[0] for line in section.splitlines() if line[:1].strip()]
    return [name.strip(" *") for head in heads for name in head.split(",")]


@pytest.mark.parametrize("page", PACKAGES)
def test_public_names_say_what_they_take(page):
    for name, one in public(page).items():
        if inspect.isclass(one) or inspect.isfunction(one):
            assert one.__doc__, f"{name} has no docstring"
        if inspect.isfunction(one):
            taken = sorted(inspect.signature(one).parameters)
            assert sorted(documented(one)) == taken, f"{name} documents other parameters"


@pytest.mark.slow
def test_the_site_builds_without_a_network_and_without_a_warning(tmp_path):
    pytest.importorskip("material", reason="needs the group docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own_data" / "index.html").is_file()
    for page, package in PACKAGES.items():
        text = (tmp_path / "api" / page / "index.html").read_text()
        for name in public(page):
            assert f'id="{package}.{name}"' in text, f"docs/api/{page}.md lacks {name}"
