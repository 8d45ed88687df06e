"""Rewards that go wrong: the body of the function to the words of the message.

Each is called as ``bad(completions, **columns)`` in the first step of a run.
"""

RETURNS = {
    "return None": "bad",
    "return 1.0": "bad",
    "return 'good'": "bad",
    "return []": "bad 0 8",
    "return [1.0]": "bad 1 8",
    "return [1.0] * 9": "bad 9 8",
    "return [float('inf')] * 8": "bad infinity",
    "return [1.0] * 7 + [float('-inf')]": "bad infinity",
    "return ['1.0'] * 8": "bad '1.0'",
    "return [[1.0]] * 8": "bad",
    "return [{'score': 1.0}] * 8": "bad",
    "return [1 + 2j] * 8": "bad",
    "return [object()] * 8": "bad",
    "return {n: 1.0 for n in range(8)}": "bad",
    "return bad": "bad",
    "return [10 ** 400] * 8": "bad",
    "raise ValueError('two\\nlines')": "bad ValueError",
    "raise KeyError('missing')": "bad KeyError missing",
    "return [columns['reference'][0]] * 8": "bad KeyError reference",
    "return [c['content'] for c in completions]": "bad TypeError",
    "assert False": "bad AssertionError",
    "return 1 / 0": "bad ZeroDivisionError",
    "raise MemoryError": "bad MemoryError",
    "return bad(completions, **columns)": "bad RecursionError",
    "import nothing_of_that_name": "bad nothing_of_that_name",
    "import sys; sys.exit(0)": "bad exit",
    "raise SystemExit('done')": "bad exit",
    "exit()": "bad exit",
    "import time; time.sleep(1000)": "bad 3",
    "while True: pass": "bad 3",
    "return [None] * 8": "bad None",
    "return [float('nan')] * 8": "bad",
}

FILES = {
    "def bad(completions, **columns:": "reward.py SyntaxError",
    "import nothing_of_that_name": "reward.py nothing_of_that_name",
    "bad = 5": "reward.py bad function",
    "def good(completions, **columns): return [1.0]": "reward.py bad good",
    "raise SystemExit(0)": "reward.py",
    "1 / 0": "reward.py ZeroDivisionError",
    "\x00": "reward.py",
}
"""What the whole file holds."""
