"""The groups of the command ``teduh``: each adds its own actions (``web/main.py`` gathers them)."""
