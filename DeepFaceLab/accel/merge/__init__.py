"""Step 7, merge: the trained face into the frames. Imports nothing by itself.

    prepare: faces of every frame, motion           alignments (faceset, landmarks)
    questions and their values                      settings
    is it a trained model, with all of its files    model_files
    one frame: read, merge its faces, write         pipeline, frames, faces
        parts of a frame and faces, both ways       warps
        the mask and its edges                      masks
        colours                                     colour_transfer, histogram_match (transport, float_order,
                                                    bilateral)
        seamless cloning                            poisson
        motion blur, sharpening, degradations       degrade
        mixing by the mask                          blend
        files, formats, free space                  output (output_folder), encoding, png
    many frames: threads and the one network        workers, prediction
    without a window, from end to end               run
    with a window: keys, order, what is saved       timeline, interactive, session, session_keeper (text_picture)
"""
