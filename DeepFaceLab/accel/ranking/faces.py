"""Read and measure every face of a folder, in order, on all cores."""
import collections
import os

from .. import dfl_jpeg, files, host, quick_metadata
from ..pools import map_threads
from ..safe_pickle import UnsafePickleError
from . import NotRankable

DFL_SUFFIXES = ('.jpg', '.jpeg')
_QUICK = quick_metadata.Reader()    # its guess may come from any thread

Measured = collections.namedtuple('Measured', 'ranked trashed')
Measured.__doc__ = """ranked: list of (path, value); trashed: list of (path, reason); both in input order."""


class NotDflImage(NotRankable):
    """An image without metadata of DeepFaceLab; ``refused`` is the error if it has some that is unsafe."""

    def __init__(self, path, refused=None):
        text = '{} is not a dfl image file'.format(os.path.basename(path))
        if refused is not None:
            text += ': its metadata is damaged or unsafe and was refused ({})'.format(refused.reason)
        super().__init__(text)
        self.refused = refused


def read_metadata(path):
    """Metadata of a face image from the head of its file: `dfl_jpeg.Metadata`; see `quick_metadata` for its lists.

    Raises NotDflImage for everything that is not a face image of DeepFaceLab, and OSError.
    """
    if not path.lower().endswith(DFL_SUFFIXES):
        raise NotDflImage(path)
    try:
        metadata = _QUICK.read(path)
        if not metadata.data:    # nothing that is needed, or nothing at all
            metadata = dfl_jpeg.read_metadata(path)
    except dfl_jpeg.NotJpegError:
        raise NotDflImage(path)
    except UnsafePickleError as error:
        raise NotDflImage(path, error)
    if not metadata.data:
        raise NotDflImage(path)
    return metadata


def read_face(path):
    """Metadata and pixels of a face image: (`dfl_jpeg.Metadata`, uint8 or uint16 (H, W[, C])).

    Raises NotRankable and OSError.
    """
    return read_metadata(path), read_pixels(path)


def read_pixels(path):
    """Pixels of any image: uint8 or uint16 (H, W[, C]) BGR(A). Raises NotRankable and OSError."""
    image = files.read_image(path)
    if image is None:
        raise NotRankable('{} cannot be read as an image'.format(os.path.basename(path)))
    return image


def need(metadata, key, path):
    """Value of a metadata key. Raises NotRankable where the file has none."""
    value = metadata.data.get(key)
    if value is None:
        raise NotRankable("{} has no '{}' in its metadata".format(os.path.basename(path), key))
    return value


def measure(paths, function, desc='Loading', workers=None):
    """Call function(path) for every path; show a progress bar and what cannot be ranked.

    Returns Measured. NotRankable, and a file that cannot be read, put the file among the
    trashed; any other error of the function counts as a file that is damaged, but for
    ImportError, which is raised: a package that is missing is no fault of the faces.
    ``workers``: threads, one a core by default.
    """
    ranked, trashed = [], []
    with host.progress(total=len(paths), desc=desc) as bar:
        for outcome in map_threads(function, paths, workers):
            if outcome.error is None:
                ranked.append((outcome.item, outcome.value))
            elif isinstance(outcome.error, ImportError):
                raise outcome.error
            else:
                reason = _reason(outcome.item, outcome.error)
                host.log_err(reason)
                trashed.append((outcome.item, reason))
            bar.update(1)
    return Measured(ranked, trashed)


def measure_rows(paths, function, shape):
    """`measure` into one array: (Measured, float32 (N,) + shape), without the trashed ones."""
    import numpy as np  # here: the orders by metadata do without it
    rows = np.zeros((len(paths),) + shape, np.float32)
    row_of = {path: row for row, path in enumerate(paths)}

    def fill(path):
        rows[row_of[path]] = function(path)

    measured = measure(paths, fill)
    if measured.trashed:
        rows = rows[[row_of[path] for path, _ in measured.ranked]]
    return measured, rows


def _reason(path, error):
    if isinstance(error, NotRankable):
        return str(error)
    if isinstance(error, OSError):
        return '{} cannot be read: {}'.format(os.path.basename(path), error.strerror or error)
    return '{} cannot be measured: {}'.format(os.path.basename(path), error)
