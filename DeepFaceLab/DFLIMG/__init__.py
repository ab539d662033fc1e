"""Face images with DeepFaceLab's metadata."""
from .DFLIMG import DFLIMG
from .DFLJPG import DFLJPG
