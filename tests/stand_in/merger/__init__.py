"""Stands in for DeepFaceLab's merger: its settings and its window. The merging itself is the overlay's."""
from .FrameInfo import FrameInfo
from .MergerConfig import MergerConfig, MergerConfigMasked
from .MergeMasked import MergeMasked
from .InteractiveMergerSubprocessor import InteractiveMergerSubprocessor
