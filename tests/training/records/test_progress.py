"""Progress for people: one line a log."""

from noisygrpo.training.records.progress import step_line


def test_line_says_what_one_waits_for():
    logs = {"loss": 0.01234, "reward": 0.5, "learning_rate": 1e-6, "step_time": 3.21}
    line = step_line(logs, 12, 200, 603.4)
    assert line == "step 12/200  reward 0.5  loss 0.0123  s/step 3.21  left 0:10:03"
    assert step_line({"eval_reward": 0.25}, 12, 200, 9.0) == "step 12/200  evaluation  reward 0.25"
    assert step_line({"train_runtime": 61.2}, 200, 200, 0.0) == "step 200/200  trained in 0:01:01"
