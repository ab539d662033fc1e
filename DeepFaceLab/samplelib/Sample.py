"""One picture that a model is trained with: stock's class, over accel."""
import functools
import importlib
from enum import IntEnum

import numpy as np

from accel import files, host


class SampleType(IntEnum):
    """What a folder is loaded as."""
    IMAGE = 0                   # any picture

    FACE_BEGIN = 1
    FACE = 1                    # faces, by file name
    FACE_PERSON = 2
    FACE_TEMPORAL_SORTED = 3    # faces, by the name of the frame they are from
    FACE_END = 3

    QTY = 4


class Sample(object):
    """A picture and what is known of the face in it.

    sample_type: SampleType. filename: path (str). face_type: stock's FaceType where there is facelib, else its number;
    None for pictures of no face. shape: (height, width, channels) in px. landmarks: float64 (68, 2), px, or None.
    seg_ie_polys: stock's SegIEPolys, made when it is first asked for. xseg_mask_compressed: uint8 array, an encoded
    picture, or None. eyebrows_expand_mod: float. source_filename, person_name: str or None. pitch_yaw_roll: None until
    get_pitch_yaw_roll has been called.
    """
    __slots__ = ('sample_type', 'filename', 'face_type', 'shape', 'landmarks', '_polygons', 'xseg_mask',
                 'xseg_mask_compressed', 'eyebrows_expand_mod', 'source_filename', 'person_name', 'pitch_yaw_roll',
                 '_filename_offset_size')

    def __init__(self, sample_type=None, filename=None, face_type=None, shape=None, landmarks=None, seg_ie_polys=None,
                 xseg_mask=None, xseg_mask_compressed=None, eyebrows_expand_mod=None, source_filename=None,
                 person_name=None, pitch_yaw_roll=None, **kwargs):
        """The arguments are stock's; others are ignored.

        seg_ie_polys: SegIEPolys, or what its `load` takes. xseg_mask: (H, W) or (H, W, C), 0 to 1; without
        xseg_mask_compressed it is compressed and not kept.
        """
        self.sample_type = SampleType.IMAGE if sample_type is None else SampleType(sample_type)
        self.filename = filename
        self.face_type = face_type_member(face_type) if type(face_type) is int else face_type
        self.shape = shape
        self.landmarks = None if landmarks is None else np.array(landmarks)
        self._polygons = seg_ie_polys
        self.xseg_mask = xseg_mask
        self.xseg_mask_compressed = xseg_mask_compressed
        if xseg_mask is not None and xseg_mask_compressed is None:
            self.xseg_mask_compressed = _compressed(xseg_mask)
            self.xseg_mask = None
        self.eyebrows_expand_mod = 1.0 if eyebrows_expand_mod is None else eyebrows_expand_mod
        self.source_filename = source_filename
        self.person_name = person_name
        self.pitch_yaw_roll = pitch_yaw_roll
        self._filename_offset_size = None

    @property
    def seg_ie_polys(self):
        """Stock's SegIEPolys (one without polygons if there are none). Needs DeepFaceLab."""
        stock_class = _seg_ie_polys_class()
        if not isinstance(self._polygons, stock_class):
            self._polygons = stock_class.load(self._polygons)
        return self._polygons

    @seg_ie_polys.setter
    def seg_ie_polys(self, polygons):
        self._polygons = polygons

    # --- masks and pose ---

    def has_xseg_mask(self):
        """Tell whether there is an XSeg mask."""
        return self.xseg_mask is not None or self.xseg_mask_compressed is not None

    def get_xseg_mask(self):
        """Return the XSeg mask, float32 (H, W, 1), 0 to 1; None without one. host.UserError if it is damaged."""
        if self.xseg_mask_compressed is None:
            return self.xseg_mask
        mask = files.decode_image(self.xseg_mask_compressed.tobytes())
        if mask is None:
            raise host.UserError("The XSeg mask in {} is damaged. Apply XSeg to this folder again, or remove this "
                                 "face.".format(self.filename))
        return _unit_range(mask[..., None] if mask.ndim == 2 else mask)

    def get_pitch_yaw_roll(self):
        """Return the pose of the face, (pitch, yaw, roll) in radians, and keep it."""
        if self.pitch_yaw_roll is None:
            from accel import landmarks
            self.pitch_yaw_roll = landmarks.estimate_pitch_yaw_roll(self.landmarks, size=self.shape[1])
        return self.pitch_yaw_roll

    # --- file ---

    def set_filename_offset_size(self, filename, offset, size):
        """Say that the file is `size` bytes from `offset` of another one, a faceset.pak."""
        self._filename_offset_size = (filename, offset, size)

    def read_raw_file(self, filename=None):
        """Return the bytes of the file. filename: another one instead, if this one is in no faceset.pak.

        Raises OSError, and host.UserError if a faceset.pak has become shorter.
        """
        if self._filename_offset_size is None:
            return files.read_bytes(self.filename if filename is None else filename)
        packed, offset, size = self._filename_offset_size
        with open(packed, "rb", buffering=0) as stream:
            stream.seek(offset)
            data = stream.read(size)
            while len(data) < size:  # one read gives 2 GB at most
                more = stream.read(size - len(data))
                if not more:
                    raise host.UserError("{} is cut short: {} is not all in it. Copy it again from where it came "
                                         "from.".format(packed, self.filename))
                data += more
        return data

    def load_bgr(self):
        """Return the picture, float32 (H, W, 3) BGR, 0 to 1 (grey ones (H, W), as stock).

        Raises host.UserError if it cannot be read.
        """
        place = self.filename if self._filename_offset_size is None else "{} in {}".format(
            self.filename, self._filename_offset_size[0])
        try:
            image = files.decode_image(self.read_raw_file())
        except OSError as error:
            raise host.UserError("{} cannot be read: {}. Start the training again when it is there.".format(
                place, error.strerror or error))
        if image is None:
            raise host.UserError("{} is damaged: it cannot be decoded. Remove it or extract it again, then start the "
                                 "training again.".format(place))
        return _unit_range(image)

    def get_config(self):
        """Return what a faceset.pak says of this sample: dict of plain data and of stock's two enums."""
        return {'sample_type': self.sample_type,
                'filename': self.filename,
                'face_type': self.face_type,
                'shape': self.shape,
                'landmarks': None if self.landmarks is None else self.landmarks.tolist(),
                'seg_ie_polys': _plain_polygons(self._polygons),
                'xseg_mask': self.xseg_mask,
                'xseg_mask_compressed': self.xseg_mask_compressed,
                'eyebrows_expand_mod': self.eyebrows_expand_mod,
                'source_filename': self.source_filename,
                'person_name': self.person_name}


def _unit_range(image):
    # To the bit what stock's image.astype(np.float32) / 255.0 is, without the array between.
    return np.divide(image, np.float32(255), dtype=np.float32)


def _compressed(mask):
    """Return a mask, 0 to 1, as an encoded PNG of one channel (uint8 array)."""
    import cv2
    mask = np.asarray(mask)
    if mask.ndim == 2:
        mask = mask[..., None]
    done, encoded = cv2.imencode('.png', np.clip(mask[..., :1] * 255, 0, 255).astype(np.uint8))
    if not done:
        raise ValueError("the XSeg mask of a sample cannot be encoded")
    return encoded


def _plain_polygons(polygons):
    """Return what stock's SegIEPolys.dump gives, for a SegIEPolys or for what its `load` takes."""
    if type(polygons) is dict:
        pairs = [(polygon.get('type'), polygon.get('pts')) for polygon in polygons['polys']]
    elif type(polygons) is list or polygons is None:
        pairs = polygons or []
    else:
        return polygons.dump()
    plain = [{'type': int(kind), 'pts': np.array([] if points is None else points, np.float32).reshape(-1, 2)}
             for kind, points in pairs]
    return {'polys': sorted(plain, key=lambda polygon: -polygon['type'])}  # those that include come first


# --- classes of stock that are not always there ---

@functools.lru_cache(maxsize=None)
def _stock_class(module, name):
    """Return a class of DeepFaceLab, None where only this overlay is."""
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        return None


@functools.lru_cache(maxsize=None)
def face_type_member(number):
    """Return the member of stock's FaceType for a number (int); the number itself without facelib."""
    face_types = _stock_class('facelib.FaceType', 'FaceType')
    return number if face_types is None else face_types(number)


def _seg_ie_polys_class():
    found = _stock_class('core.imagelib.SegIEPolys', 'SegIEPolys')
    if found is None:
        raise host.UserError("The polygons of XSeg need DeepFaceLab: install this overlay into it.")
    return found
