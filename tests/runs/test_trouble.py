"""Full disks, dead workers and dead servers: one line, and nothing older is damaged."""

import errno
import os
import resource
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from noisygrpo.data.images import ImageProblem, open_rgb
from noisygrpo.errors import UserError
from noisygrpo.runs.beginning import Begun, setting_up
from noisygrpo.runs.lock import only_one
from noisygrpo.runs.trouble import trouble
from noisygrpo.training.checkpoints import newest
from noisygrpo.training.trainer import NoisyGRPOTrainer

FOLDER = Path("runs/x")


@contextmanager
def files_of_at_most(size):
    """The system refuses to let a file grow beyond so many bytes, whoever writes it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [20_000, 300_000])  # safetensors' file; torch's
def test_a_disk_that_is_full_in_a_save_leaves_the_checkpoint_before(
    recipe_file, run_cli, tmp_path, monkeypatch, size
):
    save, out = NoisyGRPOTrainer._save_checkpoint, tmp_path / "run"

    def full(self, model, trial):
        with files_of_at_most(size if self.state.global_step == 2 else resource.RLIM_INFINITY):
            save(self, model, trial)

    monkeypatch.setattr(NoisyGRPOTrainer, "_save_checkpoint", full)
    steps = {"max_steps": 3, "save_strategy": "steps", "save_steps": 1}
    words = ("train", recipe_file(training=steps), "--output-dir", out, "--no-evaluation")
    status, _, error = run_cli(*words)
    (line,) = [line for line in error.splitlines() if line.startswith("stopped: ")]
    assert status == 1 and "cannot write " in line and f"go on with --auto-resume ({out})" in line
    assert "Traceback" not in error
    assert newest(out) == (out / "checkpoint-1", [])
    assert not (out / ".saving").exists()  # what cannot be used gives its room back
    monkeypatch.setattr(NoisyGRPOTrainer, "_save_checkpoint", save)
    assert run_cli(*words, "--auto-resume")[0] == 0
    assert (out / "checkpoint-3").is_dir()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space", "a/b"), "cannot write a/b: No space left on device"),
        (OSError(errno.EACCES, "no", "a/b"), "cannot read or write a/b: Permission denied"),
        (OSError(errno.EROFS, "x"), "cannot write runs/x: Read-only file system"),
        (OSError(errno.EDQUOT, "x"), "cannot write runs/x: "),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "No space left"),
        (RuntimeError("[enforce fail] . PytorchStreamWriter failed writing"), "is the disk full?"),
        (RuntimeError("basic_ios::clear: iostream error"), "is the disk full?"),
        (RuntimeError("[enforce fail at inline_container.cc] . unexpected pos 64 vs 0"), "full?"),
    ],
)
def test_what_disks_say(error, said):
    assert said in trouble(error, FOLDER)
    outer = ValueError("something else")
    outer.__cause__ = error
    assert said in trouble(outer, FOLDER)


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(2, "no", "a"), RuntimeError("CUDA"), ConnectionError("x"), KeyError()],
)
def test_everything_else_is_not_of_the_machine(error):
    assert trouble(error, FOLDER) is None


def test_a_picture_that_is_gone_is_named():
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "cats/1.png")
    assert trouble(error, FOLDER).startswith("cats/1.png: the picture is gone; put it back")


def test_a_picture_that_cannot_be_read_is_no_disk_that_cannot_be_written(tmp_path):
    path = tmp_path / "cat.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 cut")
    with pytest.raises(ImageProblem) as found:
        open_rgb({"bytes": None, "path": str(path)})
    said = trouble(found.value, FOLDER)
    assert said.startswith("broken image (cat.jpg): ") and "--auto-resume" in said
    closed = ImageProblem("broken image (cat.jpg): [Errno 13] Permission denied: 'cat.jpg'")
    closed.__cause__ = PermissionError(errno.EACCES, "Permission denied", "cat.jpg")
    assert trouble(closed, FOLDER).startswith("broken image (cat.jpg): [Errno 13]")
    gone = ImageProblem("broken image (cat.jpg): no such file")
    gone.__cause__ = FileNotFoundError(errno.ENOENT, "No such file", "cats/cat.jpg")
    assert trouble(gone, FOLDER).startswith("cats/cat.jpg: the picture is gone")


def test_an_error_while_another_is_handled_is_its_own():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space", "a")
        except OSError:
            raise KeyError("a bug")  # noqa: B904
    except KeyError as error:
        assert trouble(error, FOLDER) is None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 8 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate "
                     "memory: you tried to allocate 4000000000000 bytes."),
        MemoryError(),
    ],
)  # fmt: skip
def test_full_memory_says_what_is_smaller(error):
    said = trouble(error, FOLDER)
    assert said.startswith("memory is full: ") and "per_device_train_batch_size" in said
    assert "\n" not in said and "Tried" not in said


def test_vllm_that_does_not_answer():
    class EngineDeadError(Exception):
        pass

    for error in (EngineDeadError("the core died"), ConnectionRefusedError("refused")):
        said = trouble(error, FOLDER, vllm=True)
        assert said.startswith(f"vLLM does not answer any more: {type(error).__name__}: ")


class Dies:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        os._exit(1)


def test_a_data_worker_that_dies():
    from torch.utils.data import DataLoader

    with pytest.raises(RuntimeError) as found:
        list(DataLoader(Dies(), num_workers=1))
    said = trouble(found.value, FOLDER)
    assert said.startswith("DataLoader worker (pid") and "\n" not in said
    assert said.endswith("it prepared the data; is memory short? go on with --auto-resume")


@pytest.mark.parametrize(
    "error", [ValueError("image tokens: 4, features: 8"), RuntimeError("shape"), IndexError("268")]
)
def test_what_a_model_refuses_in_the_first_step_is_one_line(error):
    begun = Begun()
    with (
        pytest.raises(UserError, match=rf"does not start with these settings: .*{error}.*verbose"),
        setting_up(begun),
    ):
        raise error
    begun.on_step_end(None, None, None)
    with pytest.raises(type(error), match=f"^{error}$"), setting_up(begun):
        raise error


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(self, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(UserError, match=r"--output-dir: .*run cannot be written: Read-only file"),
        only_one(tmp_path / "run"),
    ):
        pass
