"""The embedded sample: invented papers for the demo and the tests, never for a figure of quality.

`generate.py` writes it from a seed; `phrases.py` holds its words.
"""

from pathlib import Path

WORKS = Path(__file__).parent / "works.jsonl.gz"
TRUTH = Path(__file__).parent / "truth.jsonl"
LABEL = "Embedded sample (invented texts, illustrative only)"
