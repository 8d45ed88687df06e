"""Writes ``requirements.lock``: every package of ``constraints.txt`` with the hashes of its files.

``make lock`` runs this after ``make constraints``. uv resolves for every platform and asks the
registry for the hashes. What torch's CUDA build brings along on Linux is left out: the tests run
with the CPU build, whose wheel has a hash of its own, which is added from the file that pip gets.
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
# The files that the tests ran with: `make setup LOCKED=1` installs these and no others, which CI does. Python 3.11 or
# newer with torch's CPU build; on Linux pip has to be told where that lies. Written by `make lock`.
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "build.in").write_text(TO_BUILD)
        compiled = folder / "compiled.txt"
        subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"]
            + ["--python-version", "3.11", "--extra", "dev", "--constraints", "constraints.txt"]
            + ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url"]
            + ["--output-file", str(compiled), "pyproject.toml", str(folder / "build.in")],
            cwd=ROOT,
            check=True,
        )
        blocks = re.split(r"\n(?=\S)", compiled.read_text().strip())
        kept = [block for block in blocks if not OF_CUDA.match(block)]
        lock = "\n".join(with_cpu_build(block, folder) for block in kept)
    LOCK.write_text(HEADER + lock + "\n")


def with_cpu_build(block: str, folder: Path) -> str:
    """Torch's block with the hash of the wheel that pip gets here, if that is another one."""
    if not block.startswith("torch=="):
        return block
    wanted = block.split()[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", wanted]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    (wheel,) = folder.glob("torch-*.whl")
    line = f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    return block if line in block else f"{block} \\\n    {line}"


if __name__ == "__main__":
    main()
