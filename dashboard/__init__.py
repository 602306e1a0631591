"""The survey on screen. Open `dashboard/app.py` first."""
