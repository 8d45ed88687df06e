"""The hints of a recipe's rows, level by level."""


def test_hints_of_every_level_are_shown(run_cli):
    words = ("playground-hint-grpo", "--rows", "2", "--no-rollout")
    status, text, _ = run_cli("check", *words, "--data.limit=8", "--evaluation=null")
    assert status == 0
    assert "  hints    3 levels, first_nonzero\n" in text
    rows = [line.split() for line in text.split("\nhints\n")[1].splitlines()[3:5]]
    for name, steps, *tokens in rows:
        assert name.startswith("train-0-") and int(steps) >= 3
        assert 0 == int(tokens[0]) < int(tokens[1]) < int(tokens[2])
    assert "'<think>Step 1: " in text
