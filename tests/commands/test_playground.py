"""`noisygrpo playground`."""

from PIL import Image


def test_playground_show_writes_pictures(run_cli, tmp_path):
    words = ("playground", "show", "--rows", "2", "--split", "more")
    status, text, _ = run_cli(*words, "--output-dir", str(tmp_path))
    assert status == 0
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == 2 and text.count("answer: ") == 2
    assert Image.open(pictures[0]).size == (400, 100)


def test_warmstart_refuses_numbers_that_mean_nothing(run_cli, tmp_path):
    for option, value in (("--see-steps", -1), ("--batch", 0), ("--seed", -1)):
        status, _, said = run_cli(
            "playground", "warmstart", option, value, "--output-dir", tmp_path / "w"
        )
        assert status == 2 and said.startswith(f"error: {option}: {value}, allowed is ")
    assert not (tmp_path / "w").exists()
