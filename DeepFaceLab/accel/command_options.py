"""What the commands of steps 2 to 5, 7 and 8 take: their options, with stock's names and defaults, and our own."""
from .command_parser import FlagInsteadOf, positive, setting

DEFAULT_FRAMES = type("Default", (str,), {})("png")  # told from a png that was typed by not being the same object
_FIRST = " NAME.* takes the first file of that name."


def extract(p):
    """Options of steps 4 and 5. p: CommandParser."""
    p.add_argument("--detector", choices=["s3fd", "manual"], default=None, help="Who finds the faces.")
    p.path("--input-dir", help="Folder of the frames.")
    p.path("--output-dir", help="Folder for the faces.")
    p.add_argument("--output-debug", action="store_true", default=None,
                   help="Also save each frame with the landmarks drawn in, to <output-dir>_debug.")
    p.add_argument("--no-output-debug", dest="output_debug", action="store_false", default=None,
                   help="Save no frames with landmarks.")
    p.add_argument("--face-type", choices=["half_face", "full_face", "whole_face", "head", "mark_only"],
                   default=None, help="How much of the head a face shows.")
    p.number("--max-faces-from-image", help="At most this many faces of one frame; 0: all.")
    p.number("--image-size", help="Side of the saved faces in pixels.")
    p.number("--jpeg-quality", help="JPEG quality of the saved faces, 1 to 100.")
    p.flag("--manual-fix", help="Mark by hand the frames in which no face was found.")
    p.flag("--manual-output-debug-fix", help="Mark by hand the frames deleted from <output-dir>_debug.")
    p.number("--manual-window-size", default=1368, help="Width of the window for marking by hand (1368).")
    p.choice("--continue-extraction", "--no-continue-extraction",
             help="Go on with an extraction that was cut short, or delete its faces and begin again.")
    p.devices()
    p.unattended()


def merge(p, models):
    """Options of step 7. p: CommandParser; models: names of the kinds of models."""
    p.path("--input-dir", help="Folder of the frames.")
    p.path("--output-dir", help="Folder for the merged frames.")
    p.path("--output-mask-dir", help="Folder for the masks.")
    p.path("--aligned-dir", required=False, help="Folder of the dst faces.")
    p.path("--model-dir", help="Folder of the model's files.")
    p.model(models)
    p.text("--force-model-name", help="Name of the saved model, which is then not asked for.")
    p.devices()
    p.choice("--interactive", "--no-interactive", help="Choose the settings in a window, frame by frame, or not.")
    p.add_argument("--workers", type=positive, metavar="N", help="How many frames to work on at a time.")
    p.add_argument("--output-format", choices=("png", "jpg"), default=None, help="Format of the merged frames.")
    p.add_argument("--set", type=setting, action="append", metavar="NAME=VALUE", help="A setting, such as "
                   "mode=seamless; may be given several times. The others then have the values that Enter gives.")
    p.unattended()


def extract_video(p):
    """Options of steps 2 and 3: frames out of a video. p: CommandParser."""
    p.path("--input-file", help="The video." + _FIRST)
    p.path("--output-dir", help="Folder for the frames.")
    p.text("--output-ext", help="Format of the frames: png or jpg.")
    p.number("--fps", help="Frames to take of each second; 0: all.")
    p.text("--hwaccel", help="Decode by hardware: auto, or a name that ffmpeg -hwaccels shows.")
    p.unattended()


def cut_video(p):
    """Options of cutting a video. p: CommandParser."""
    p.path("--input-file", help="The video." + _FIRST)
    p.text("--from-time", help="Start, as 00:00:00.000")
    p.text("--to-time", help="End, as 00:00:00.000")
    p.number("--audio-track-id", help="Number of the sound track to keep.")
    p.number("--bitrate", help="Bitrate of the new video in Mbit/s.")
    p.unattended()


def denoise(p):
    """Options of denoising frames. p: CommandParser."""
    p.path("--input-dir", help="Folder of the frames.")
    p.number("--factor", help="Strength, 1 to 20.")
    p.unattended()


def video_from_sequence(p):
    """Options of step 8. p: CommandParser."""
    given = [p.path("--input-dir", help="Folder of the frames."),
             p.path("--output-file", help="The video to write.")]
    p.path("--reference-file", required=False, help="Video that gives frame rate and sound." + _FIRST)
    p.text("--ext", default=DEFAULT_FRAMES, help="Format of the frames (png).")
    p.number("--fps", help="Frames a second, unless there is a reference file.")
    p.number("--bitrate", help="Bitrate of the video in Mbit/s.")
    p.flag("--include-audio", help="Take the sound of the reference file.")
    p.flag("--lossless", help="Lose nothing; large files.")
    p.text("--codec", help="Encoder, which is then not asked for: libx264, libx265, h264_nvenc, prores_ks ...")
    p.number("--crf", help="Quality number of the encoder in the place of a bitrate (libx264: 18).")
    p.text("--preset", help="Speed of the encoder, in its own words (libx264: ultrafast to veryslow).")
    p.text("--pix-fmt", help="Pixel format, such as yuv444p or yuv420p10le.")
    p.add_argument("--list-codecs", action=FlagInsteadOf, others=given,
                   help="Try all encoders and show which work here; nothing else is needed or done.")
    p.unattended()
