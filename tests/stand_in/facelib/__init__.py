"""Stands in for the part of DeepFaceLab's facelib that merging uses."""
from .FaceEnhancer import FaceEnhancer
from .FaceType import FaceType
from .XSegNet import XSegNet
