"""A face in a JPEG file with DeepFaceLab's metadata: stock's class, over `accel.dfl_jpeg`."""
from accel import dfl_jpeg, files, host

_MAX_MASK_BYTES = 50000  # of an encoded XSeg mask: it shares one segment of 65,533 bytes with the rest


class DFLJPG:
    """The metadata (`dfl_dict`) of one file; `data` is the whole file as it was read.

    Landmarks are float64 (68, 2): x, y in px, of the face picture or, for the source ones, of the frame.
    """

    def __init__(self, filename):
        self.filename = filename
        self.data = b''
        self.length = 0
        self.dfl_dict = None
        self.shape = None
        self.img = None

    # --- file ---

    @staticmethod
    def load_raw(filename, loader_func=None):
        """Return a DFLJPG of which only the bytes are read. Raises FileNotFoundError whatever the reason."""
        inst = DFLJPG(filename)
        try:
            inst.data = bytes(files.read_bytes(filename) if loader_func is None else loader_func(filename))
        except Exception as error:  # loader_func may raise anything
            message = '{}: the file cannot be read ({})'.format(filename, error)
            raise FileNotFoundError(message) from error
        inst.length = len(inst.data)
        return inst

    @staticmethod
    def load(filename, loader_func=None):
        """Return a DFLJPG with its metadata ({} if it has none), or log the reason and return None.

        None also stands for metadata that was refused as unsafe: every caller takes it for "no DFL image".
        """
        try:
            inst = DFLJPG.load_raw(filename, loader_func=loader_func)
            inst.shape, inst.dfl_dict = dfl_jpeg.parse(inst.data, filename)
            return inst
        except (OSError, ValueError) as error:
            host.log_err('{}. It is taken for a file without DFL data.'.format(error))
            return None

    def has_data(self):
        """Tell whether there is any metadata."""
        return len(self.dfl_dict) != 0

    def save(self):
        """Write the file with its metadata as it is now, whole or not at all.

        Raises dfl_jpeg.MetadataTooLongError, ValueError for metadata that is not plain data, host.UserError.
        """
        data = self.dump()
        try:
            files.write_atomic(self.filename, data)
        except OSError as error:
            raise host.UserError(
                '{} cannot be saved ({}); it is as it was. Make sure that the disk has free space, that you '
                'may write to its folder and that no other program has it open, then start again.'.format(
                    self.filename, error.strerror or error)) from error

    def dump(self):
        """Return the file's bytes with its metadata as it is now, and drop the keys whose value is None."""
        for key in [key for key, value in self.dfl_dict.items() if value is None]:
            self.dfl_dict.pop(key)
        self.data = dfl_jpeg.replace_metadata(self.data, self.dfl_dict, self.filename)
        self.length = len(self.data)
        return self.data

    # --- picture ---

    def get_img(self):
        """Return the picture as cv2 decodes it (uint8 (H, W, 3) BGR); None if it cannot be read."""
        if self.img is None:
            try:
                self.img = files.read_image(self.filename)
            except OSError as error:
                host.log_err('{}: the picture cannot be read: {}'.format(self.filename, error))
        return self.img

    def get_shape(self):
        """Return (height, width, channels) in px; None if the picture cannot be decoded either."""
        if self.shape is None and self.get_img() is not None:
            self.shape = self.img.shape
        return self.shape

    def get_height(self):
        """Return the picture's height in px, 0 if it is not known."""
        return 0 if self.shape is None else self.shape[0]

    # --- metadata ---

    def get_dict(self):
        return self.dfl_dict

    def set_dict(self, dict_data=None):
        self.dfl_dict = dict_data

    def get_face_type(self):
        return self.dfl_dict.get('face_type', 'full_face')

    def set_face_type(self, face_type):
        self.dfl_dict['face_type'] = face_type

    def get_landmarks(self):
        return _array(self.dfl_dict['landmarks'])

    def set_landmarks(self, landmarks):
        self.dfl_dict['landmarks'] = landmarks

    def get_eyebrows_expand_mod(self):
        return self.dfl_dict.get('eyebrows_expand_mod', 1.0)

    def set_eyebrows_expand_mod(self, eyebrows_expand_mod):
        self.dfl_dict['eyebrows_expand_mod'] = eyebrows_expand_mod

    def get_source_filename(self):
        return self.dfl_dict.get('source_filename', None)

    def set_source_filename(self, source_filename):
        self.dfl_dict['source_filename'] = source_filename

    def get_source_rect(self):
        return self.dfl_dict.get('source_rect', None)

    def set_source_rect(self, source_rect):
        self.dfl_dict['source_rect'] = source_rect

    def get_source_landmarks(self):
        return _array(self.dfl_dict.get('source_landmarks', None))

    def set_source_landmarks(self, source_landmarks):
        self.dfl_dict['source_landmarks'] = source_landmarks

    def get_image_to_face_mat(self):
        mat = self.dfl_dict.get('image_to_face_mat', None)
        return None if mat is None else _array(mat)

    def set_image_to_face_mat(self, image_to_face_mat):
        self.dfl_dict['image_to_face_mat'] = image_to_face_mat

    # --- XSeg ---

    def has_seg_ie_polys(self):
        return self.dfl_dict.get('seg_ie_polys', None) is not None

    def get_seg_ie_polys(self):
        """Return stock's SegIEPolys object, empty if there are none. Works inside DeepFaceLab only."""
        from core.imagelib import SegIEPolys
        polys = self.dfl_dict.get('seg_ie_polys', None)
        return SegIEPolys() if polys is None else SegIEPolys.load(polys)

    def set_seg_ie_polys(self, seg_ie_polys):
        """Set the polygons (a SegIEPolys; None or one without polygons removes them). Raises ValueError."""
        if seg_ie_polys is not None:
            from core.imagelib import SegIEPolys
            if not isinstance(seg_ie_polys, SegIEPolys):
                raise ValueError('seg_ie_polys should be instance of SegIEPolys')
            seg_ie_polys = seg_ie_polys.dump() if seg_ie_polys.has_polys() else None
        self.dfl_dict['seg_ie_polys'] = seg_ie_polys

    def has_xseg_mask(self):
        return self.dfl_dict.get('xseg_mask', None) is not None

    def get_xseg_mask_compressed(self):
        """Return the mask as it is stored: uint8 array, an encoded PNG or JPG; None if there is none."""
        return self.dfl_dict.get('xseg_mask', None)

    def get_xseg_mask(self):
        """Return the mask, float32 (H, W, 1) in 0..1, or None. Raises ValueError if it cannot be decoded."""
        encoded = self.get_xseg_mask_compressed()
        if encoded is None:
            return None
        import numpy as np
        mask = files.decode_image(encoded.tobytes())
        if mask is None:
            raise ValueError('{}: the XSeg mask is damaged; apply or draw it again'.format(self.filename))
        if mask.ndim == 2:
            mask = mask[..., None]
        return mask.astype(np.float32) / 255.0

    def set_xseg_mask(self, mask_a):
        """Store a mask, float (H, W) or (H, W, C) in 0..1, whose first channel counts; None removes it.

        A PNG, or the best JPG that takes no more than 50,000 bytes if the PNG takes more.
        """
        if mask_a is None:
            self.dfl_dict['xseg_mask'] = None
            return
        import cv2
        import numpy as np
        if mask_a.ndim not in (2, 3):
            raise ValueError('an XSeg mask has two or three dimensions')
        mask = mask_a[..., None] if mask_a.ndim == 2 else mask_a[..., :1]
        mask = np.clip(mask * 255, 0, 255).astype(np.uint8)
        done, encoded = cv2.imencode('.png', mask)
        quality = 100
        while quality >= 0 and not (done and len(encoded) <= _MAX_MASK_BYTES):
            done, encoded = cv2.imencode('.jpg', mask, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
            quality -= 1
        if not done:
            raise ValueError('{}: the XSeg mask cannot be encoded'.format(self.filename))
        self.dfl_dict['xseg_mask'] = encoded


def _array(values):
    import numpy as np
    return np.array(values)
