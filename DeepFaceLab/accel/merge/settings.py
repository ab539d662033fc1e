"""What a user may set for a frame, as plain Python values.

Stock's configuration object holds numpy scalars once a key was pressed, and numpy 2 computes in float64 with
them; the engine computes with what `Settings.of` returns.
"""
import collections

ORIGINAL, OVERLAY, HIST_MATCH, SEAMLESS, SEAMLESS_HIST_MATCH, RAW_RGB, RAW_PREDICT = MODES = (
    "original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict")

# Stock's attribute names and the type of each; sessions and `--set` use them too.
TYPES = collections.OrderedDict([
    ("face_type", int), ("mode", str), ("masked_hist_match", bool), ("hist_match_threshold", int),
    ("mask_mode", int), ("erode_mask_modifier", int), ("blur_mask_modifier", int), ("motion_blur_power", int),
    ("output_face_scale", int), ("super_resolution_power", int), ("color_transfer_mode", int),
    ("image_denoise_power", int), ("bicubic_degrade_power", int), ("color_degrade_power", int),
    ("sharpen_mode", int), ("blursharpen_amount", int)])

# Mask modes by what they need.
FULL, DST = 0, 1
LEARNED = (2, 3, 4, 5, 9)
XSEG_OF_PREDICTION = (6, 8, 9)
XSEG_OF_FRAME = (7, 8, 9)


class Settings(collections.namedtuple("Settings", list(TYPES))):
    """One configuration; the fields are stock's attributes, as int, bool or str."""

    __slots__ = ()

    @classmethod
    def of(cls, config):
        """Return the Settings that a stock MergerConfigMasked, or anything with its attributes, holds."""
        return cls(*(kind(getattr(config, name)) for name, kind in TYPES.items()))

    @property
    def is_raw(self):
        """Whether the prediction is shown as it is, without a mask's edges being worked on."""
        return "raw" in self.mode

    @property
    def is_seamless(self):
        """Whether the face is cloned into the frame by its gradients."""
        return "seamless" in self.mode

    @property
    def needs_prediction(self):
        """Whether the network's answer can be seen in the frame or in its mask."""
        return self.mode != ORIGINAL or self.mask_mode in LEARNED or self.mask_mode in XSEG_OF_PREDICTION

    @property
    def changes_whole_frame(self):
        """Whether pixels far from the face change too: the degradations work on all of the frame."""
        return not self.is_raw and self.mode != ORIGINAL and bool(
            self.image_denoise_power or self.bicubic_degrade_power or self.color_degrade_power)

    @property
    def has_second_pass(self):
        """Whether the face is cut out of the merged frame once more, worked on and put back."""
        return (self.is_seamless and self.color_transfer_mode != 0 or self.mode == SEAMLESS_HIST_MATCH
                or self.motion_blur_power != 0 or self.blursharpen_amount != 0
                or self.image_denoise_power != 0 or self.bicubic_degrade_power != 0)


# What Enter answers to stock's questions about the settings (its constructor has other values).
ENTER = {"masked_hist_match": True, "hist_match_threshold": 255, "mask_mode": DST, "erode_mask_modifier": 0,
         "blur_mask_modifier": 0, "motion_blur_power": 0, "output_face_scale": 0, "color_transfer_mode": 0,
         "sharpen_mode": 0, "blursharpen_amount": 0, "super_resolution_power": 0, "image_denoise_power": 0,
         "bicubic_degrade_power": 0, "color_degrade_power": 0}

COLOUR_TRANSFERS = ("none", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m")
_NAMES = {"mode": MODES, "color_transfer_mode": COLOUR_TRANSFERS}
_RANGES = {"hist_match_threshold": (0, 255), "mask_mode": (0, 9), "erode_mask_modifier": (-400, 400),
           "blur_mask_modifier": (0, 400), "motion_blur_power": (0, 100), "output_face_scale": (-50, 50),
           "super_resolution_power": (0, 100), "color_transfer_mode": (0, 8), "image_denoise_power": (0, 500),
           "bicubic_degrade_power": (0, 100), "color_degrade_power": (0, 100), "sharpen_mode": (0, 2),
           "blursharpen_amount": (-100, 100)}
_YES_NO = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}


def parse(text):
    """Return (name, value) of a setting given as "mode=seamless" or "erode_mask_modifier=20".

    Modes and colour transfers are given by name or number. Raises ValueError in words for the user.
    """
    name, equals, value = text.partition("=")
    name, value = name.strip().replace("-", "_"), value.strip()
    if not equals or name not in ENTER and name != "mode":
        raise ValueError("{!r} is no setting. There are: {}.".format(text, ", ".join(["mode"] + sorted(ENTER))))
    if TYPES[name] is bool:
        if value.lower() not in _YES_NO:
            raise ValueError("{} is y or n.".format(name))
        return name, _YES_NO[value.lower()]
    names = _NAMES.get(name, ())
    if value.lower() in names:
        return name, value.lower() if TYPES[name] is str else names.index(value.lower())
    low, high = _RANGES.get(name, (0, len(names) - 1))
    try:
        number = int(value)
    except ValueError:
        number = None
    if number is None or not low <= number <= high:
        also = " or one of {}".format(", ".join(names)) if names else ""
        raise ValueError("{} is a number from {} to {}{}.".format(name, low, high, also))
    return name, names[number] if TYPES[name] is str else number
