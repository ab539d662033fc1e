"""Stands in for what DeepFaceLab knows of a frame."""


class FrameInfo(object):
    motion_deg = motion_power = 0

    def __init__(self, filepath=None, landmarks_list=None):
        self.filepath, self.landmarks_list = filepath, list(landmarks_list or ())
