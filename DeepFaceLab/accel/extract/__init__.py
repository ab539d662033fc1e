"""Steps 4 and 5: faces out of frames.

    the options, once they are known         run.Extraction
    a frame from file to files               pipeline (cut, debug_image; nets.faces for the networks)
    marking by hand                          manual (manual_view, window)
    which frames are done                    record
"""
