"""Writes ``requirements.lock``: every package of ``constraints.txt`` with the hashes of its files.

``make lock`` runs this after ``make constraints``, on the platform that the lock is for: Linux on
x86-64 with Python 3.11. uv resolves and asks the registry for the hashes. Torch is the file that
pip gets here, the CPU build: allowed beside it, the registry's CUDA build would come first, with
two gigabytes of other packages, which are left out for the same reason.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
OF_CUDA = re.compile(r"(?:nvidia|cuda|triton)(?:-|=)")
TO_BUILD = "hatchling>=1.27\neditables>=0.5\n"
HEADER = """\
# The files that the tests ran with: `make setup LOCKED=1` installs these and no others, as CI does.
# For Linux on x86-64, Python 3.11 and torch's CPU build, which pip has to be told where to find.
# Written by `make lock`.
"""
COMPILE = (
    *("-m", "uv", "pip", "compile", "--quiet", "pyproject.toml", "--extra", "dev"),
    *("--constraints", "constraints.txt", "--generate-hashes"),
    *("--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.11"),
    *("--no-header", "--no-annotate", "--no-emit-index-url"),
)


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more, compiled = folder / "build.in", folder / "compiled.txt"
        more.write_text(TO_BUILD)
        command = [sys.executable, *COMPILE, str(more), "--output-file", str(compiled)]
        subprocess.run(command, cwd=ROOT, check=True)
        blocks = re.split(r"\n(?=\S)", compiled.read_text().strip())
        kept = [block for block in blocks if not OF_CUDA.match(block)]
        lock = "\n".join(the_file_here(block, folder) for block in kept)
    LOCK.write_text(HEADER + lock + "\n")


def the_file_here(block: str, folder: Path) -> str:
    """Torch's block with the one hash of the wheel that pip gets here; any other as it is."""
    if not block.startswith("torch=="):
        return block
    wanted = block.split()[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", wanted]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    (wheel,) = folder.glob("torch-*.whl")
    return f"{wanted} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


if __name__ == "__main__":
    main()
