"""Stock's sample processor by its name, over accel.training.samples."""
from enum import IntEnum

from accel.training import samples as outputs


class SampleProcessor(object):
    """Makes of samples what models ask for."""

    class SampleType(IntEnum):
        """What an output is."""
        NONE = 0
        IMAGE = outputs.IMAGE
        FACE_IMAGE = outputs.FACE_IMAGE
        FACE_MASK = outputs.FACE_MASK
        LANDMARKS_ARRAY = outputs.LANDMARKS_ARRAY
        PITCH_YAW_ROLL = outputs.PITCH_YAW_ROLL
        PITCH_YAW_ROLL_SIGMOID = outputs.PITCH_YAW_ROLL_SIGMOID

    class ChannelType(IntEnum):
        """The channels of a picture: colours, grey, grey three times."""
        NONE = 0
        BGR = outputs.BGR
        G = outputs.G
        GGG = outputs.GGG

    class FaceMaskType(IntEnum):
        """What a mask covers."""
        NONE = 0
        FULL_FACE = outputs.FULL_FACE
        EYES = outputs.EYES
        EYES_MOUTH = outputs.EYES_MOUTH

    class Options(object):
        """How far pictures are randomly mirrored, turned (degrees), scaled and shifted (parts of their side)."""

        def __init__(self, random_flip=True, rotation_range=[-10, 10], scale_range=[-0.05, 0.05],
                     tx_range=[-0.05, 0.05], ty_range=[-0.05, 0.05]):
            self.random_flip = random_flip
            self.rotation_range = rotation_range
            self.scale_range = scale_range
            self.tx_range = tx_range
            self.ty_range = ty_range

    @staticmethod
    def process(samples, sample_process_options, output_sample_types, debug, ct_sample=None):
        """Return a list a sample of an array an output: see accel.training.samples.make."""
        draw = None
        if debug:
            from facelib import LandmarksProcessor   # stock's, which is beside this module in a DeepFaceLab
            draw = LandmarksProcessor.draw_landmarks
        return outputs.make(samples, sample_process_options, output_sample_types, debug, draw, ct_sample)
