import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import noisygrpo.methods

FOLDER = Path(noisygrpo.methods.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
ALLOWED = {"torch", "numpy", "PIL", "jaxtyping"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_nothing_of_the_package(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert str(node.module).split(".")[0] in ALLOWED


def test_a_copy_works_in_another_project(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "borrowed", ignore=shutil.ignore_patterns("__pycache__"))
    names = [path.stem for path in MODULES if path.stem != "__init__"]
    code = "import sys\n" + "".join(f"import borrowed.{name}\n" for name in names)
    code += "assert not any(name.startswith('noisygrpo') for name in sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
