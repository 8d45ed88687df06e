"""`noisygrpo playground`."""

from PIL import Image


def test_playground_show_writes_pictures(run_cli, tmp_path):
    words = ("playground", "show", "--rows", "2", "--split", "more")
    status, text, _ = run_cli(*words, "--output-dir", str(tmp_path))
    assert status == 0
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) == 2 and text.count("answer: ") == 2
    assert Image.open(pictures[0]).size == (400, 100)
