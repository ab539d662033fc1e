"""Face images with DeepFaceLab's metadata."""
from .DFLIMG import DFLIMG
from .DFLJPG import DFLJPG

__all__ = ['DFLIMG', 'DFLJPG']
