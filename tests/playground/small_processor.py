"""The playground's processor with a tokenizer trained on a few rows, and a question in its form."""

from noisygrpo.playground.model import build_processor, build_tokenizer
from noisygrpo.playground.warmstart import tokenizer_texts


def small_processor():
    return build_processor(build_tokenizer(tokenizer_texts(60)))


def chat(processor, question, **options):
    content = [{"type": "image"}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, **options
    )
