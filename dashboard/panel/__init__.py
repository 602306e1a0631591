"""The review panel, one component in the page. Open `component.py` first."""
