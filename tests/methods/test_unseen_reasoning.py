"""References as people and models write them: hints whose right text was written down first."""

import time

import pytest

from noisygrpo.methods.hints import hint_text, split_steps


@pytest.mark.parametrize(
    ("reasoning", "steps"),
    [
        ("1. A\r\n2. B\r\n3. C\r\n4. D", ["A", "B", "C", "D"]),
        ("Step 1:\r\nA\r\nStep 2:\r\nB\r\n", ["A", "B"]),
        ("**Step 1: Look at it.**\nA.\n**Step 2: Count.**\nB.", ["Look at it.\nA.", "Count.\nB."]),
        ("**Step 1:** A **bold** one\n**Step 2:** B", ["A **bold** one", "B"]),
        ("**1. Look**\nA\n**2. Count**\nB", ["Look\nA", "Count\nB"]),
        ("\\textbf{Step 1:} A\n\\textbf{Step 2:} B", ["A", "B"]),
        ("\\textbf{Step 1: Look} A\n\\textbf{Step 2:} $x_{1}$", ["Look A", "$x_{1}$"]),
        ("<b>Step 1:</b> A\n<b>Step 2:</b> B", ["A", "B"]),
        ("Step 1: A\nStep 2: B</think>", ["A", "B"]),
        ("Step 1 of 2: A\nStep 2 of 2: B", ["A", "B"]),
        ("Step 1：A\nStep 2：B", ["A", "B"]),
        ("We will need Step 2: the area.\nStep 1: A\nStep 2: B", ["A", "B"]),
        ("It is\n5. So\n1. A\n2. B\n3. C", ["A", "B", "C"]),
        ("Step 3: A\nStep 4: B", ["A", "B"]),
        ("因为有两个。所以是红色。", ["因为有两个。", "所以是红色。"]),
        ("Вот круг. Он красный. Ответ 3.", ["Вот круг.", "Он красный.", "Ответ 3."]),
        ("Il y en a 3. Évidemment, deux.", ["Il y en a 3.", "Évidemment, deux."]),
        ("See Figs. 2 and 3. Then y is 4.", ["See Figs. 2 and 3.", "Then y is 4."]),
        ("Dr. Who is here. He sees 3.14 of them.", ["Dr. Who is here.", "He sees 3.14 of them."]),
        ("The answer is no. Then stop.", ["The answer is no.", "Then stop."]),
    ],
)
def test_steps(reasoning, steps):
    assert split_steps(reasoning) == steps
    assert hint_text(reasoning, 0.5) == " ".join(steps[: len(steps) // 2])


@pytest.mark.parametrize("run", ["*", " ", "* ", "_*", "Step ", "> "])
def test_long_runs_take_linear_time(run):
    began = time.process_time()
    split_steps(run * (40_000 // len(run)))
    assert time.process_time() - began < 2
