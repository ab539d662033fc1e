"""Whether a folder holds a trained, complete model. DeepFaceLab fills what is missing with random numbers."""
import os
import pickle

from .. import host

# Kinds of models of which it is known what their files are called.
_KNOWN = ("SAEHD", "AMP", "Quick96")


def check_trained(folder, kind, name=None):
    """Raise host.UserError where a folder has no model of a kind ("SAEHD"), or not the one of this name."""
    if kind not in _KNOWN:
        return
    suffix = "{}_data.dat".format(kind)
    wanted = None if name is None else "{}_{}".format(name, suffix)
    if any(file == wanted or wanted is None and file.endswith(suffix) for file in os.listdir(str(folder))):
        return
    raise host.UserError("There is no trained {} model{} in {}. Train one (step 6), or give another --model-dir."
                         .format(kind, "" if name is None else " " + name, folder))


def load(make, folder):
    """Return what `make` returns, a model. Raises host.UserError if its files cannot be taken for one."""
    try:
        return make()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise host.UserError(
            "The model in {0} cannot be loaded ({1}: {2}). If one of its files is damaged or cut short, copy the model "
            "again, or take an earlier one from the folder of its name with _autobackups in {0}.".format(
                folder, type(error).__name__, str(error).partition("\n")[0])) from error


def check_complete(model):
    """Raise host.UserError if a file of a model's networks is missing, or if it was never trained."""
    if hasattr(model, "get_model_filename_list"):
        paths = [model.get_strpath_storage_for_file(name) for _, name in model.get_model_filename_list()]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            raise host.UserError("The model is not complete: {} {} missing. Copy all of its files again, or take them "
                                 "from a backup.".format(", ".join(missing), "is" if len(missing) == 1 else "are"))
    if model.get_iter() == 0:
        raise host.UserError("This model has not been trained yet. Train it first (step 6).")
