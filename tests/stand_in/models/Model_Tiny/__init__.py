"""The model of the tests, for DeepFaceLab's folder of models and for the one beside it."""
from .Model import Model
