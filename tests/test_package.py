"""What the package promises: its files, its dependencies, the direction of its imports."""

import ast
import functools
import re
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

import noisygrpo

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "noisygrpo"
MODULES = sorted(SOURCE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The floors of the house: a package or top-level module imports from its own and from lower floors.
FLOORS = (
    {"errors", "secrets", "threads", "writing"},
    {"terminal", "fields", "reach", "pointers"},
    {"contained", "yaml_text"},
    {"user_code"},
    {"schema"},
    {"methods", "rewards"},
    {"playground"},
    {"data", "models", "arguments", "own"},
    {"training", "evaluation"},
    {"recipes"},
    {"report"},
    {"runs"},
    {"check"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
FLOOR = {area: number for number, areas in enumerate(FLOORS) for area in areas}
METHODS_NEED = {"torch", "numpy", "PIL", "jaxtyping", "transformers"}


@functools.cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text())


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """Dotted names of everything that a module imports, wherever the import stands."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # Level 1 is the module's own package: ``from . import x``, ``from .x import y``.
            package = ".".join(path.relative_to(ROOT / "src").parts[: -node.level or None])
            names.add(node.module if node.level == 0 else f"{package}.{node.module or ''}")
    return frozenset(names)


def area_of(path: Path) -> str:
    """The package, or the top-level module, that a file is part of."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_one_way(path):
    area = area_of(path)
    if area == "__init__":
        return  # names what is below it, see its own test
    for name in imports(path):
        if name.startswith("noisygrpo."):
            other = name.split(".")[1]
            lower = FLOOR[other] < FLOOR[area] and area != "methods"  # it can be copied anywhere
            assert other == area or lower, f"{path.name} imports {name}"


def test_all_that_is_printed_goes_through_one_function():
    """What steers a terminal is replaced there; see ``noisygrpo.terminal``."""
    speaks_a_protocol = SOURCE / "rewards" / "math_worker.py"
    mute = [path for path in MODULES if path not in (SOURCE / "terminal.py", speaks_a_protocol)]
    for path in mute:
        calls = (node.func for node in ast.walk(parsed(path)) if isinstance(node, ast.Call))
        names = {func.id for func in calls if isinstance(func, ast.Name)}
        assert "print" not in names, path


def test_methods_can_be_copied_into_any_trainer():
    for path in sorted((SOURCE / "methods").rglob("*.py")):
        outside = {name.split(".")[0] for name in imports(path)} - {"noisygrpo"}
        assert outside <= METHODS_NEED | set(sys.stdlib_module_names), path.name


def test_nothing_imports_torchvision_or_a_pickle():
    for path in MODULES:
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & {"torchvision", "pickle", "dill", "joblib", "cloudpickle"}, path
        for call in re.findall(r"torch\.load\(.*", path.read_text()):
            # What others have written in shards is a pickle; only data is read from it.
            assert path.name == "shards.py" and "weights_only=True" in call, path


def test_remote_code_is_never_trusted_by_default():
    for path in MODULES:
        assert not re.search(r"trust_remote_code\s*[=:]\s*True", path.read_text()), path


def test_the_command_and_the_version():
    assert metadata.version("noisygrpo") == noisygrpo.__version__
    (script,) = metadata.entry_points(group="console_scripts", name="noisygrpo")
    assert script.value == PROJECT["scripts"]["noisygrpo"]


def test_trl_is_held_to_the_minor_release_that_is_tested():
    (trl,) = [item for item in PROJECT["dependencies"] if item.startswith("trl")]
    assert trl == "trl>=1.16,<1.17"
    assert metadata.version("trl").startswith("1.16."), "the trainer overrides parts of TRL 1.16"


def test_constraints_hold_every_dependency_and_no_torchvision():
    lines = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = {line.split("==")[0] for line in lines if not line.startswith("#")}
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["peft"]]
    names = {re.match(r"[\w-]+", item).group() for item in wanted}
    assert names <= pinned
    assert "torchvision" not in pinned
    extras = PROJECT["optional-dependencies"].values()
    everything = [*wanted, *(item for extra in extras for item in extra)]
    assert not any("torchvision" in item for item in everything)


def test_package_data_is_there():
    files = resources.files("noisygrpo")
    assert (files / "py.typed").is_file()
    assert (files / "recipes" / "playground.yaml").is_file()


def test_the_shipped_weights_are_small_and_safe():
    folder = SOURCE / "playground" / "weights"
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(sizes)
    assert sum(sizes.values()) <= 12 * 2**20
    assert not any(name.endswith((".bin", ".pt", ".pth", ".pkl")) for name in sizes)


def test_readme_shows_the_two_commands():
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme and "make test" in readme
    assert len(readme.splitlines()) <= 150


def test_the_architecture_names_files_that_are_there():
    """Lines marked TRAINER-TODO are of files to come."""
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    named = [
        name
        for line in lines
        if "TRAINER-TODO" not in line
        for name in re.findall(r"`([\w/]+(?:\.py|/))`", line)
    ]
    assert len(named) > 30
    folder = ""
    for name in named:
        places = [SOURCE / name, ROOT / name, SOURCE / folder / name]
        assert any(place.exists() for place in places), name
        folder = str(Path(name).parent) if name.endswith(".py") and "/" in name else folder


def test_the_readme_links_each_method_to_its_formula_and_its_page():
    readme = (ROOT / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    assert len(rows) == 4
    for row in rows:
        links = re.findall(r"\]\((?!http)([^)#]+)(?:#([\w-]+))?\)", row)
        assert any(path.startswith("src/noisygrpo/methods/") for path, _ in links)
        assert any(path.startswith("docs/") for path, _ in links)
        for path, anchor in links:
            text = (ROOT / path).read_text()
            titles = {line.strip("# ").lower() for line in text.splitlines() if line[:1] == "#"}
            assert not anchor or anchor in titles, (path, anchor)


def test_every_page_of_the_documentation_is_in_its_menu():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    menu = (ROOT / "mkdocs.yml").read_text()
    index = (ROOT / "docs" / "index.md").read_text()
    for page in pages - {"index.md"}:
        assert page in menu and page in index, page
