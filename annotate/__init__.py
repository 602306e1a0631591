"""Passages -> uses: which datasets does a paper use, and as source, target or mere mention?

Open `pipeline.py` first: it names the components in the order in which they run. The rules are
those of `codebook.md`.
"""
