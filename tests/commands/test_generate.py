"""`noisygrpo generate`."""

from tiny import tiny_image


def test_generate_answers_about_an_image(run_cli, model_folder, tmp_path):
    tiny_image(1).save(tmp_path / "a.png")
    words = ("--model", model_folder, "--image", str(tmp_path / "a.png"), "--question", "What?")
    status, text, _ = run_cli("generate", *words, "--max-new-tokens", "5")
    assert status == 0 and text.endswith("\n")
    noise = ("--noise-level", "0.9", "--temperature", "1", "--samples", "2")
    status, text, _ = run_cli("generate", *words, "--max-new-tokens", "5", *noise)
    assert status == 0 and text.count("\n") >= 2


def test_generate_refuses_a_broken_image_and_a_wrong_level(run_cli, model_folder, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    words = ("generate", "--model", model_folder, "--question", "What?", "--image")
    assert "a.png" in run_cli(*words, str(tmp_path / "a.png"))[2]
    tiny_image(1).save(tmp_path / "b.png")
    status, _, error = run_cli(*words, str(tmp_path / "b.png"), "--noise-level", "1.5")
    assert status == 2 and "--noise-level: 1.5 is outside [0, 1]" in error
