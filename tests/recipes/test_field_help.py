"""The help lists every field of a recipe, by topic, with a sentence."""

import pytest

from noisygrpo import fields
from noisygrpo.cli import main
from noisygrpo.recipes.field_help import FieldHelp, all_fields, fields_of

SOURCE = '''
class Other:
    nothing: int = 0

class Settings:
    """What is set."""

    first: int = 3
    """How many. Not so many."""
    _: KW_ONLY
    # --- Learning Rate & Scheduler ---
    # `first` is an older one
    second: str | None = field(default=None, metadata={"help": "Say `e.g. this` " "and that: one."})
    # Parameters that control the vLLM server (only used when `mode` is `"server"`)
    third: float = field(default=0.0, metadata={"kind": "x"})

    def work(self): ...
'''


def test_sentences_and_topics_are_read_from_a_source():
    assert [one for one in fields_of(SOURCE, "Settings") if one.name != "_"] == [
        FieldHelp("first", "further", "How many"),
        FieldHelp("second", "learning Rate & Scheduler", "Say `e.g. this` and that: one"),
        FieldHelp("third", "vLLM server", ""),
    ]


@pytest.mark.parametrize("source", ["", "class Another:\n    x: int = 1\n"])
def test_a_class_that_is_not_there_has_none(source):
    assert fields_of(source, "Settings") == []


def test_every_field_is_listed_once_and_said_in_a_sentence():
    listed = [
        one for heading, ones in all_fields().items() for one in ones if "training" in heading
    ]
    assert sorted(one.name for one in listed) == sorted(fields.defaults("training"))
    assert [one.name for one in listed if not one.text] == []


def test_topics_of_our_own_fields():
    topics = {one.name: heading for heading, ones in all_fields().items() for one in ones}
    assert topics["noise_levels"] == "training, views"
    assert topics["hint_style"] == "training, hints"
    assert topics["bayes_r"] == "training, rewards and advantages"
    assert topics["beta"] == "training, training (trl)"
    assert topics["save_steps"] == "training, checkpointing & Saving (transformers)"
    assert topics["holdout"] == "data"


def test_help_of_train_has_them(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    assert "--training.bayes_alpha  (default: 0.01)\n      Scale of the prior's variance" in shown
    assert "--model.lora" in shown and "--evaluation.splits" in shown
