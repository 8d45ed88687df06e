"""NoisyRollout's ``eval_data.zip`` as unzipped, with one or two rows of each benchmark.

File names and columns are those that its loaders read (NUS-TRAIL/NoisyRollout at 09347dd,
``eval/utils/data_loaders.py``) in files of the originals: Inter-GPS, VLMEvalKit, HallusionBench,
We-Math, MathVerse, MathVista.
"""

import csv
import json

from tiny import tiny_image


def write_eval_data(folder):
    """Write the folder; returns it."""
    for write in (_geometry3k, _mathvision, _hallubench, _wemath, _mathverse, _mathvista):
        write(folder)
    return folder


def _picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    tiny_image(seed).save(path)


def _json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4))


def _geometry3k(folder):
    for number, letter in ((2401, "D"), (2402, "A")):
        place = folder / "geometry3k" / "test" / str(number)
        _picture(place / "img_diagram.png", number)
        data = {
            "problem_text": "In \\odot X, A B = 30. Find m \\widehat A B.",
            "choices": ["30", "40", "60", "80"],
            "answer": letter,
            "id": number,
            "compact_text": "In \\odot X, AB = 30. Find m \\widehat AB.",
            "annotat_text": "In $\\odot X, A B=30$. Find $m\\widehat{A B}$",
            "data_type": "test",
        }
        _json(place / "data.json", data)
    (folder / "geometry3k" / "test" / "__MACOSX").mkdir()


def _mathvision(folder):
    rows = [
        ("index", "question", "answer", "category", "choices", "level"),
        ("4", "How many circles?\nChoices: (A) 2 (B) 3", "B", "counting", "['2', '3']", "1"),
        ("7", 'What is\tthe "area"?', "12", "metric geometry - area", "[]", "5"),
    ]
    place = folder / "mathvision"
    for row in rows[1:]:
        _picture(place / "images" / f"{row[0]}.jpg", int(row[0]))
    with (place / "MathVision.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(rows)


def _hallubench(folder):
    place = {
        "category": "VS", "subcategory": "chart", "set_id": "0", "sample_note": "import",
        "question_id": "0", "question": "Is China the leading importer in 2018? Look closely.",
        "gt_answer_details": "Switzerland is.",
    }  # fmt: skip
    rows = [
        {**place, "visual_input": "0", "figure_id": "0", "gt_answer": "0", "filename": None},
        {
            **place, "visual_input": "1", "figure_id": "1", "gt_answer": "1",
            "filename": "./VS/chart/0_1.png",
        },
    ]  # fmt: skip
    _json(folder / "hallubench" / "HallusionBench.json", rows)
    _picture(folder / "hallubench" / "images" / "VS" / "chart" / "0_1.png")


def _wemath(folder):
    row = {
        "ID": "2steps_1", "split": "testmini", "knowledge concept": "Lengths",
        "question": "OA = ( ) m", "option": "A. 300;B. 400", "answer": "B",
        "image_path": "2steps/image/1-1.png", "key": "2steps_1", "question number": 1,
    }  # fmt: skip
    rows = [row, {**row, "key": "2steps_2"}, {**row, "key": "2steps_multi"}]
    _json(folder / "wemath" / "testmini.json", rows)
    _picture(folder / "wemath" / "images" / "2steps" / "image" / "1-1.png")


def _mathverse(folder):
    row = {
        "sample_index": "1", "problem_index": "1", "problem_version": "Text Dominant",
        "question": "Find angle 2.\nChoices:\nA:50\nB:65", "answer": "B",
        "image": "images_version_1-4/image_1.png", "question_type": "multi-choice",
        "metadata": {"split": "testmini", "source": "GeoQA", "subject": "Plane Geometry"},
        "query_wo": "Answer directly: Find angle 2.", "query_cot": "Reason, then: Find angle 2.",
        "question_for_eval": "Find angle 2.\nChoices:\nA:50\nB:65",
    }  # fmt: skip
    _json(folder / "mathverse" / "testmini.json", [row])
    _picture(folder / "mathverse" / "images" / "images_version_1-4" / "image_1.png")


def _mathvista(folder):
    row = {
        "question": "How many?", "image": "images/1.jpg", "choices": None, "unit": None,
        "precision": None, "answer": "3", "question_type": "free_form", "answer_type": "integer",
        "pid": "1", "metadata": {"task": "visual question answering", "skills": ["arithmetic"]},
        "query": "Hint: answer with an integer.\nQuestion: How many?",
    }  # fmt: skip
    choice = {
        **row, "question_type": "multi_choice", "answer_type": "text", "choices": ["No", "Yes"],
        "answer": "Yes", "image": "images/2.jpg", "pid": "2",
    }  # fmt: skip
    _json(folder / "mathvista" / "testmini.json", {"1": row, "2": choice})
    _picture(folder / "mathvista" / "images" / "1.jpg", 1)
    _picture(folder / "mathvista" / "images" / "2.jpg", 2)
