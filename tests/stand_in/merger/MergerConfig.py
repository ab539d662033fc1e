"""Stands in for DeepFaceLab's settings of the merger: the same names, questions, defaults and limits.

Values that were clipped are numpy integers, as there.
"""
import copy

import numpy as np

from accel import host
from facelib import FaceType

mode_dict = dict(enumerate(("original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb",
                            "raw-predict")))
mode_str_dict = {name: number for number, name in mode_dict.items()}
mask_mode_dict = dict(enumerate((
    "full", "dst", "learned-prd", "learned-dst", "learned-prd*learned-dst", "learned-prd+learned-dst", "XSeg-prd",
    "XSeg-dst", "XSeg-prd*XSeg-dst", "learned-prd*learned-dst*XSeg-prd*XSeg-dst")))
ctm_dict = dict(enumerate(("None", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m")))
ctm_str_dict = {name if number else None: number for number, name in ctm_dict.items()}
SHARPEN = {0: "None", 1: "box", 2: "gaussian"}

# The numbers of the settings: what is asked, and between which two they lie.
NUMBERS = {
    "blursharpen_amount": ("Choose blur/sharpen amount", -100, 100),
    "hist_match_threshold": ("Hist match threshold", 0, 255),
    "erode_mask_modifier": ("Choose erode mask modifier", -400, 400),
    "blur_mask_modifier": ("Choose blur mask modifier", 0, 400),
    "motion_blur_power": ("Choose motion blur power", 0, 100),
    "output_face_scale": ("Choose output face scale modifier", -50, 50),
    "super_resolution_power": ("Choose super resolution power", 0, 100),
    "image_denoise_power": ("Choose image degrade by denoise power", 0, 500),
    "bicubic_degrade_power": ("Choose image degrade by bicubic rescale power", 0, 100),
    "color_degrade_power": ("Degrade color power of final image", 0, 100),
}


class MergerConfig(object):
    TYPE_NONE, TYPE_MASKED, TYPE_FACE_AVATAR, TYPE_IMAGE, TYPE_IMAGE_WITH_LANDMARKS = range(5)
    COMPARED = ("sharpen_mode", "blursharpen_amount")

    def __init__(self, type=0, sharpen_mode=0, blursharpen_amount=0, **kwargs):
        self.type = type
        self.sharpen_dict = SHARPEN
        self.sharpen_mode = sharpen_mode
        self.blursharpen_amount = blursharpen_amount

    def copy(self):
        return copy.copy(self)

    def get_config(self):
        return {name: value for name, value in vars(self).items() if name != "type"}

    def __eq__(self, other):
        return isinstance(other, type(self)) and all(getattr(self, name) == getattr(other, name)
                                                     for name in self.COMPARED)

    def ask_settings(self):
        self.sharpen_mode = _choose("sharpen mode", self.sharpen_dict, 0,
                                    help_message="Enhance details by applying sharpen filter.")
        if self.sharpen_mode != 0:
            self.ask_number("blursharpen_amount")

    def ask_number(self, name, default=0, **options):
        question, low, high = NUMBERS[name]
        answer = host.ask_int(question, default, add_info="{}..{}".format(low, high), **options)
        setattr(self, name, np.clip(answer, low, high))

    def add(self, name, difference):
        _, low, high = NUMBERS[name]
        setattr(self, name, np.clip(getattr(self, name) + difference, low, high))

    def toggle_sharpen_mode(self):
        self.sharpen_mode = (self.sharpen_mode + 1) % len(self.sharpen_dict)

    def add_blursharpen_amount(self, diff):
        self.add("blursharpen_amount", diff)

    def to_string(self, filename):
        return "sharpen_mode : {}\nblursharpen_amount : {}\n".format(self.sharpen_dict[self.sharpen_mode],
                                                                     self.blursharpen_amount)


class MergerConfigMasked(MergerConfig):
    COMPARED = MergerConfig.COMPARED + (
        "mode", "masked_hist_match", "hist_match_threshold", "mask_mode", "erode_mask_modifier", "blur_mask_modifier",
        "motion_blur_power", "output_face_scale", "color_transfer_mode", "super_resolution_power",
        "image_denoise_power", "bicubic_degrade_power", "color_degrade_power")

    def __init__(self, face_type=FaceType.FULL, default_mode="overlay", mode="overlay", masked_hist_match=True,
                 hist_match_threshold=238, mask_mode=4, erode_mask_modifier=0, blur_mask_modifier=0,
                 motion_blur_power=0, output_face_scale=0, super_resolution_power=0, color_transfer_mode=1,
                 image_denoise_power=0, bicubic_degrade_power=0, color_degrade_power=0, **kwargs):
        given = dict(locals())
        super().__init__(type=MergerConfig.TYPE_MASKED, **kwargs)
        if face_type not in (FaceType.HALF, FaceType.MID_FULL, FaceType.FULL, FaceType.WHOLE_FACE, FaceType.HEAD):
            raise ValueError("{!r} is no face type that can be merged".format(face_type))
        self.face_type = face_type
        self.default_mode = default_mode
        self.mode = mode if mode in mode_str_dict else "overlay"
        for name in self.COMPARED:
            if name in given and name != "mode":
                setattr(self, name, given[name])

    # --- questions -----------------------------------------------------------------------

    def ask_settings(self):
        self.set_mode(_choose("mode", mode_dict, mode_str_dict.get(self.default_mode, 1), valid_list=None))
        raw = "raw" in self.mode
        if self.mode == "hist-match":
            self.masked_hist_match = host.ask_bool("Masked hist match?", True)
        if self.mode in ("hist-match", "seamless-hist-match"):
            self.ask_number("hist_match_threshold", 255)
        self.mask_mode = _choose("mask mode", mask_mode_dict, 1)
        if not raw:
            for name in ("erode_mask_modifier", "blur_mask_modifier", "motion_blur_power"):
                self.ask_number(name)
        self.ask_number("output_face_scale")
        if not raw:
            self.color_transfer_mode = ctm_str_dict[host.ask_str(
                "Color transfer to predicted face", None, valid_list=[name for name in ctm_str_dict if name])]
        super().ask_settings()
        self.ask_number("super_resolution_power",
                        help_message="Enhance details by applying superresolution network.")
        if not raw:
            for name in ("image_denoise_power", "bicubic_degrade_power", "color_degrade_power"):
                self.ask_number(name)
        host.log_info("")

    # --- keys ----------------------------------------------------------------------------

    def set_mode(self, mode):
        self.mode = mode_dict.get(mode, self.default_mode)

    def toggle_masked_hist_match(self):
        if self.mode == "hist-match":
            self.masked_hist_match = not self.masked_hist_match

    def toggle_mask_mode(self):
        self.mask_mode = (self.mask_mode + 1) % len(mask_mode_dict)

    def toggle_color_transfer_mode(self):
        self.color_transfer_mode = (self.color_transfer_mode + 1) % len(ctm_dict)

    def add_hist_match_threshold(self, diff):
        if self.mode in ("hist-match", "seamless-hist-match"):
            self.add("hist_match_threshold", diff)

    def add_erode_mask_modifier(self, diff):
        self.add("erode_mask_modifier", diff)

    def add_blur_mask_modifier(self, diff):
        self.add("blur_mask_modifier", diff)

    def add_motion_blur_power(self, diff):
        self.add("motion_blur_power", diff)

    def add_output_face_scale(self, diff):
        self.add("output_face_scale", diff)

    def add_super_resolution_power(self, diff):
        self.add("super_resolution_power", diff)

    def add_color_degrade_power(self, diff):
        self.add("color_degrade_power", diff)

    def add_image_denoise_power(self, diff):
        self.add("image_denoise_power", diff)

    def add_bicubic_degrade_power(self, diff):
        self.add("bicubic_degrade_power", diff)

    # --- words ---------------------------------------------------------------------------

    def to_string(self, filename):
        shown = []
        if self.mode == "hist-match":
            shown.append("masked_hist_match")
        if self.mode in ("hist-match", "seamless-hist-match"):
            shown.append("hist_match_threshold")
        shown.append("mask_mode")
        if "raw" not in self.mode:
            shown += ["erode_mask_modifier", "blur_mask_modifier", "motion_blur_power"]
        shown.append("output_face_scale")
        text = "MergerConfig {}:\nMode: {}\n".format(filename, self.mode) + self._lines(shown)
        if "raw" not in self.mode:
            text += self._lines(["color_transfer_mode"]) + super().to_string(filename)
        text += self._lines(["super_resolution_power"])
        if "raw" not in self.mode:
            text += self._lines(["image_denoise_power", "bicubic_degrade_power", "color_degrade_power"])
        return text + "================"

    def _lines(self, names):
        words = {"mask_mode": mask_mode_dict, "color_transfer_mode": ctm_dict}
        return "".join("{}: {}\n".format(name, words[name][getattr(self, name)] if name in words else
                                         getattr(self, name)) for name in names)


def _choose(what, names, default, valid_list=(), **options):
    """Show numbered names and ask for a number. valid_list: None takes numbers that are not shown, too."""
    host.log_info("Choose {}: \n".format(what) + "".join("({}) {}\n".format(*pair) for pair in names.items()))
    return host.ask_int("", default, valid_list=None if valid_list is None else list(names), **options)
