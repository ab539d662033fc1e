"""Stands in for DeepFaceLab's package of models where there is no DeepFaceLab."""
import importlib


def import_model(model_class_name):
    """Return the class Model of the package Model_<name>."""
    return importlib.import_module(".Model_" + model_class_name, __name__).Model
