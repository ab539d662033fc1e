"""What a command of DeepFaceLab's own needs, asked before it starts: its modules fail without it in words of their own.

Each raises host.UserError with what to do.
"""
import os

from . import host

XSEG_WEIGHTS = "XSeg_256.npy"
ENHANCER_WEIGHTS = "FaceEnhancer.npy"
METADATA = "meta.dat"


def folder_of_faces(folder):
    """Return --input-dir (str), which must be a folder."""
    if os.path.isfile(folder):
        raise host.UserError("{} is a file. Give the folder that holds the faces as --input-dir.".format(folder))
    if not os.path.isdir(folder):
        raise host.UserError("There is no folder {}. Give the folder that holds the faces as --input-dir."
                             .format(folder))
    return folder


def saved_metadata(folder):
    """Ask for what `util --save-faceset-metadata` has written."""
    if not os.path.isfile(os.path.join(folder, METADATA)):
        raise host.UserError("There is no {} in {}, so nothing can be restored: the metadata is saved before the faces "
                             "are edited (util --save-faceset-metadata).".format(METADATA, folder))


def trained_xseg(folder):
    """Ask for a trained XSeg model."""
    if not os.path.isfile(os.path.join(folder, XSEG_WEIGHTS)):
        raise host.UserError("There is no trained XSeg model in {}: {} is missing. Train one (step 5.XSeg), or give "
                             "another --model-dir.".format(folder, XSEG_WEIGHTS))


def enhancer_weights(folder):
    """Ask for the weights of the face enhancer. folder: facelib (str)."""
    path = os.path.join(folder, ENHANCER_WEIGHTS)
    if not os.path.isfile(path):
        raise host.UserError("{} is missing. It comes with DeepFaceLab: copy it from another build, or unpack "
                             "DeepFaceLab again.".format(path))


def trained_model(folder, kind):
    """Ask for a trained model of a kind ("SAEHD")."""
    from .merge import model_files
    if not os.path.isdir(folder):
        raise host.UserError("There is no folder {}. Give the folder of the model as --model-dir.".format(folder))
    model_files.check_trained(folder, kind)
