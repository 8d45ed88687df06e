"""The playground's processor with a tokenizer trained on a few rows, and a question in its form."""

from noisygrpo.playground.model import build_model, build_processor, build_tokenizer
from noisygrpo.playground.warmstart import tokenizer_texts


def small_processor():
    return build_processor(build_tokenizer(tokenizer_texts(60)))


def chat(processor, question, **options):
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, **options
    )


def stock_and_changed(processor, batch, change, parameter):
    """Logits and one parameter's gradient: of the stock model, and after ``change(model)``."""
    found = []
    for changed in (False, True):
        model = build_model(processor.tokenizer, seed=1)
        if changed:
            change(model)
        out = model(**batch)
        out.loss.backward()
        found.append((out.logits.detach(), model.get_parameter(parameter).grad))
    return found
