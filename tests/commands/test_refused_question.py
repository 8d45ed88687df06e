"""A question that the processor refuses ends in one line."""


def test_a_question_with_an_image_token(run_cli, model_folder):
    words = ("generate", "--model", model_folder, "--question", "see <|image_pad|>")
    status, _, error = run_cli(*words)
    assert status == 2 and "the processor refuses this input: " in error
    assert "Traceback" not in error
