"""Puts the overlay onto a DeepFaceLab, checks it, and takes it off again. Standard library only.

    command     the words of the command line, the questions, the phases in their order
    build       where DeepFaceLab lies, and which Python and ffmpeg it runs
    versions    which DeepFaceLab it is, by fingerprints (known_versions.json)
    sums        whether this copy arrived whole
    overlay     the files that are to be put there
    interface   what a fork's module offers and ours lacks
    plan        for each file: add, replace, or leave the fork's
    record      manifest.json: what was put where, and what stood there before
    changes     putting files there and taking them off, whole at any moment
    checks      what --verify says
    packages    what that Python has, and what pip is asked for
    self_test   run with that Python on the finished tree
"""
