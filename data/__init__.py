"""The ground floor: records, the corpus on disk, the catalogue and the numbers.

Open `records.py` first, then `corpus.py`. Imports no other room, nor Streamlit, torch, spaCy.
"""
