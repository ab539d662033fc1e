"""Join the frames of a folder to a video in the obvious way: one file after the other into ffmpeg.

    python tests/naive/join.py FFMPEG FOLDER OUTPUT RATE [--sound FILE] [--bitrate MBIT]

Frames are all images of FOLDER in the order of their names, as bytes that ffmpeg decodes; H.264 by libx264,
yuv420p; the first sound track of FILE as AAC, 192 kbit/s, 48000 Hz. The exit code is ffmpeg's.
"""
import argparse
import os
import subprocess
import sys

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.tif', '.tiff')


def frame_paths(folder):
    """Paths of the image files in the folder, by name."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.lower().endswith(EXTENSIONS)]


def command(ffmpeg, output, rate, sound, bitrate):
    """ffmpeg's command line; frames come from stdin."""
    words = [ffmpeg, '-f', 'image2pipe', '-r', rate, '-i', 'pipe:']
    if sound is not None:
        words += ['-i', sound, '-map', '0', '-map', '1:a:0']
    words += ['-c:v', 'libx264', '-b:v', '{}M'.format(bitrate), '-pix_fmt', 'yuv420p']
    if sound is not None:
        words += ['-c:a', 'aac', '-b:a', '192k', '-ar', '48000']
    return words + [output, '-y']


def main(words=None):
    parser = argparse.ArgumentParser()
    parser.add_argument('ffmpeg')
    parser.add_argument('folder')
    parser.add_argument('output')
    parser.add_argument('rate')
    parser.add_argument('--sound')
    parser.add_argument('--bitrate', type=int, default=16)
    arguments = parser.parse_args(words)
    process = subprocess.Popen(command(arguments.ffmpeg, arguments.output, arguments.rate, arguments.sound,
                                       arguments.bitrate), stdin=subprocess.PIPE)
    for path in frame_paths(arguments.folder):
        with open(path, 'rb') as frame:
            process.stdin.write(frame.read())
    process.stdin.close()
    return process.wait()


if __name__ == '__main__':
    sys.exit(main())
