"""A prompt without a picture is the text that is trained on, whatever a template reads."""

import pytest

from noisygrpo.data.rendering import rendered
from noisygrpo.errors import UserError

PARTS = (  # as SmolVLM, LLaVA and LLaVA-OneVision have it
    "{% for turn in messages %}{{ turn['role'] }}:{% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}"
    "{% endif %}{% endfor %};{% endfor %}"
)
TEXT = "{% for turn in messages %}{{ turn['role'] }}:{{ turn['content'] }};{% endfor %}"
REFUSES = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system messages') }}{% endif %}"
    + TEXT
)


class Processor:
    """Renders by Transformers' own function, as processors do."""

    def __init__(self, template: str) -> None:
        self.template = template

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        from transformers.utils.chat_template_utils import render_jinja_template

        return render_jinja_template([messages], chat_template=self.template)[0][0]


@pytest.mark.parametrize("template", [PARTS, TEXT])
def test_a_question_without_a_picture_is_there(template: str) -> None:
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where is it?"},
    ]
    assert rendered(Processor(template), prompt, 0) == "system:Be brief.;user:Where is it?;"


def test_a_question_that_is_asked_without_its_picture() -> None:
    prompt = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where is it?"}]}
    ]
    assert rendered(Processor(PARTS), prompt, 1) == "user:<image>Where is it?;"
    assert rendered(Processor(PARTS), prompt, 0) == "user:Where is it?;"


def test_a_template_that_refuses_is_told_in_a_line() -> None:
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}]
    with pytest.raises(UserError, match="chat template refuses a prompt: no system messages"):
        rendered(Processor(REFUSES), prompt, 0)


def test_a_template_that_is_broken_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match="chat template refuses a prompt"):
        rendered(Processor("{% for %}"), [{"role": "user", "content": "x"}], 0)
