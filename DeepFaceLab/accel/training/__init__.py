"""Samples for training: loaded in a second, made ahead of the network, moved without a copy.

    samplelib.SampleLoader.load             loading (accel.quick_metadata, quick_packed, packed_values) -> face_table
    samplelib.SampleProcessor.process       samples -> masks, warps, colours
    core.joblib.SubprocessGenerator         producer, producer_process -> batches (accel.compat_shared_memory)
    core.imagelib.warp                      warps
    main.py train: how it ends              ending
    samplelib.PackedFaceset                 packing, packed_files, unpacking (accel.faceset)

The networks and the training itself are DeepFaceLab's own. Imports nothing by itself.
"""
