"""What figures depend on: the card, its driver, the libraries, and the state of the sources."""

import hashlib
import os
import subprocess
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ("src/noisygrpo/**/*.py", "benchmarks/steps.py", "benchmarks/shapes.py")
"""Files whose change makes figures old."""
UNKNOWN = "unknown card"


@dataclass(frozen=True)
class Machine:
    """Where, and of what, figures are."""

    card: str
    """``CPU`` where there is none."""
    gib: float
    """Memory of the card; 0 on a CPU."""
    driver: str
    torch: str
    trl: str
    commit: str
    sources: str
    """Hash of the files that are measured."""

    def line(self) -> str:
        """As one says it."""
        memory = f", {self.gib:.0f} GiB, driver {self.driver}" if self.gib else ""
        return f"{self.card}{memory}, torch {self.torch}, TRL {self.trl}, commit {self.commit}"

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def this_machine(device: str) -> Machine:
    """Look at this machine without touching its card, which is for the work alone."""
    card, memory, driver = ("CPU", 0.0, "none") if device == "cpu" else nvidia()
    return Machine(
        card=card,
        gib=round(memory, 1),
        driver=driver,
        torch=metadata.version("torch"),
        trl=metadata.version("trl"),
        commit=commit(),
        sources=sources(),
    )


def nvidia() -> tuple[str, float, str]:
    """Name, GiB and driver of the first visible card; ``UNKNOWN`` where nvidia-smi says nothing."""
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    if not wanted:  # all are hidden
        return UNKNOWN, 0.0, "unknown"
    fields = "--query-gpu=name,memory.total,driver_version"
    found = _output("nvidia-smi", "-i", wanted, fields, "--format=csv,noheader,nounits")
    cells = [cell.strip() for cell in found.splitlines()[0].split(",")] if found else []
    if len(cells) != 3 or not cells[1].isdigit():
        return UNKNOWN, 0.0, "unknown"
    return cells[0], int(cells[1]) / 1024, cells[2]


def commit() -> str:
    """The commit, with ``and changes`` where what is measured differs from it."""
    found = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    if not found:
        return "unknown"
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "benchmarks")
    return f"{found} and changes" if changed else found


def sources() -> str:
    """Hash of the contents of what is measured."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(path for pattern in MEASURED for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _output(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
