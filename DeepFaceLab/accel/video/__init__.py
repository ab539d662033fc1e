"""Videos from frames and frames from videos, by ffmpeg.

    tools        which ffmpeg and ffprobe, which version, which encoders it has
    process      the one place that starts ffmpeg: progress, last words, stalls, Ctrl-C
    probe        what a video holds, by ffprobe or from what `ffmpeg -i` says
    rate         the frame rate that fits frames to their reference
    colour       matrix and tags of the result
    encoders     the list of encoders and how each wants to be told bitrate, quality, lossless
    trial        which of them work on this machine, tried once
    frames       which files are the frames, what is wrong with them, and their pixels in order
    whole_file   a new video takes its name only when it is good
    join, cut, extract, denoise    the four commands
"""
