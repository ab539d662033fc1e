"""Chooses the reader of a face image by its suffix."""
from pathlib import Path

from .DFLJPG import DFLJPG


class DFLIMG:
    """Any face image; today there are only JPEGs."""

    @staticmethod
    def load(filepath, loader_func=None):
        """Return a DFLJPG for a .jpg or .jpeg (in any case); None for other files and what cannot be read.

        loader_func: function of the path (str) that returns the file's bytes, for files in no folder.
        """
        if Path(filepath).suffix.lower() in ('.jpg', '.jpeg'):
            return DFLJPG.load(str(filepath), loader_func=loader_func)
        return None
