"""The engine behind DeepFaceLab's steps. It knows nothing of DeepFaceLab; `host` is the one seam.

From a prompt to its kernel:

    sort: blur, motion_blur                      ranking.sharpness (edges: ranking.canny)
    sort: yaw, pitch, rect size, original name,
          one face in image                      ranking.metadata (dfl_jpeg, landmarks)
    sort: histogram similarity                   ranking.histogram
    sort: histogram dissimilarity                ranking.dissimilarity
    sort: brightness, hue, black pixels          ranking.pixels, ranking.hue
    sort: absolute pixel difference              ranking.absdiff
    sort: best faces, best faces faster          ranking.best
    sort: renaming, trash, --undo                renames (rename_walk, rename_journal)

    extract                                      extract, nets (their own maps)
    train; util: packing and unpacking           training (its own map)
    merge                                        merge (its own map)
    videoed: the four commands on videos         video (its own map)

What they share:

    host          console, questions, progress bars, log: DeepFaceLab's where it is there, else our own
    command_options, command_parser   what the commands take, and the kinds of options that this is made of
    preconditions   what DeepFaceLab's own commands need before they start
    compat        every branch on a version, a system or an optional import; the compiler, `jit` (kernel_cache)
                  (compat_shared_memory: memory of several processes; compat_processes: what another one works;
                  compat_signals: what ends a program; compat_images: what reads and writes images)
    pools         ordered, bounded pools of threads and of processes (process_crew)
    files         image lists, whole-or-nothing writes, names in any language
    output_folder   a folder that one step at a time writes to, file by whole file
    file_lock     keeps other processes out
    os_errors     what went wrong with a file, in words
    jpeg_pixels, png_pixels   ordinary pictures decoded faster than by OpenCV (inflate, deflate_codes, png_rows:
                  kernels)
    dfl_jpeg      metadata of faces without decoding them
    faceset       the faces of a folder or of a faceset.pak
    safe_pickle   pickles as plain data (pickle_reader, pickle_values, pickle_scalars, pickle_records, pickle_writer)
    landmarks     pose, hull, alignment, areas (landmark_tables)

Imports nothing by itself, and no module imports what another sort method needs.
"""
