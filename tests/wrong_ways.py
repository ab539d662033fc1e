"""What users do wrong, step by step, and the words that they then read: tables for test_wrong_ways.py.

A row: what is wrong | the words after main.py | the last thing that is shown, whole. In both of these {w} is the
workspace below, {f} the folder of the weights, and ... stands for any text. The rows of WORDS end with code 2 and
argparse's "error: ", all others with 1 and "/!\\". None of them changes a file.

The workspace: `faces` (of DeepFaceLab), `frames` (PNG), `video.mp4`, `text.mp4` and `text.png` in `texts` (a line of
text), `empty.mp4` (no bytes), `short.mp4` (cut short), `nobody` (an empty folder), `broken` (a good frame, a text, one
of no bytes, one cut short), `sizes` (frames of two sizes), `kinds` (PNG and JPG), `bad_pak` and `short_pak`
(faceset.pak of text, and cut short), `model` (no model in it).
"""
EXTRACT = "extract --detector s3fd --yes --cpu-only "
VIDEO = "videoed extract-video --yes "
OVER_FRAMES = "videoed extract-video --input-file video.mp4 --output-dir frames --fps 0 --output-ext png"
CUT = "videoed cut-video --yes "
DENOISE = "videoed denoise-image-sequence --yes "
JOIN = "videoed video-from-sequence --yes --fps 25 "
JOIN_HERE = JOIN + "--input-dir frames --output-file new.mp4 "
SORT = "sort --input-dir faces "
PACK = "util --yes --pack-faceset --input-dir "
UNPACK = "util --yes --unpack-faceset --input-dir "
LONG = "n" * 300

NO_FACES = "There is no folder {w}/nowhere. Give the folder that holds the faces as --input-dir."
NO_IMAGE = ("There is no DFL image to pack, so {w}/FOLDER/faceset.pak was not written. Give the folder of the aligned "
            "faces.")
NO_CARD = " is no list of graphics cards. Give --force-gpu-idxs numbers with commas between them, such as 0,1."
TRAIN = "train --training-data-src-dir faces --training-data-dst-dir faces --model-dir model --model SAEHD "
FACES_FILE = "{w}/video.mp4 is a file. Give the folder that holds the faces as --input-dir."

STEPS = {
    "2, 3 extract-video": [
        ("no such video", VIDEO + "--input-file nowhere.mp4 --output-dir new",
         "input_file not found. There is no {w}/nowhere.mp4: put the video there, or check its name."),
        ("no video of that name", VIDEO + "--input-file nowhere.* --output-dir new",
         "input_file not found. There is no {w}/nowhere.*: put the video there, or check its name."),
        ("a folder for a video", VIDEO + "--input-file frames --output-dir new",
         "input_file not found. There is no {w}/frames: put the video there, or check its name."),
        ("a text", VIDEO + "--input-file text.mp4 --output-dir new",
         "ffmpeg failed (code ...). Nothing was changed. The video is damaged or is none: try to play it.\n"
         "Its last words:\n..."),
        ("an empty file", VIDEO + "--input-file empty.mp4 --output-dir new",
         "ffmpeg failed (code ...). Nothing was changed. The video is damaged or is none: try to play it.\n..."),
        ("cut short", VIDEO + "--input-file short.mp4 --output-dir new",
         "ffmpeg failed (code ...). Nothing was changed. The video is damaged or is none: try to play it.\n..."),
        ("frames to a file", VIDEO + "--input-file video.mp4 --output-dir text.mp4",
         "{w}/text.mp4 is a file, and a folder is needed. Give another --output-dir."),
        ("frames below a file", VIDEO + "--input-file video.mp4 --output-dir text.mp4/new",
         "{w}/text.mp4/new cannot be made: Not a directory. Give another --output-dir."),
        ("too long a name", VIDEO + "--input-file video.mp4 --output-dir " + LONG,
         "{w}/" + LONG + " cannot be made: File name too long. Give another --output-dir."),
        ("fewer frames than none", VIDEO + "--input-file video.mp4 --output-dir new --fps -3",
         "-3 frames a second cannot be. Give a number from 1, or 0 for all frames."),
        ("more frames than there can be", VIDEO + "--input-file video.mp4 --output-dir new --fps 99999999999999999999",
         "ffmpeg failed (code ...). Nothing was changed. Give another number of frames a second.\n..."),
        ("no format", VIDEO + "--input-file video.mp4 --output-dir new --output-ext .png",
         ".png is no image format. Take png or jpg."),
        ("no such hardware", VIDEO + "--input-file video.mp4 --output-dir new --hwaccel warp",
         "This ffmpeg cannot decode by warp. It knows: ..."),
        ("a log that cannot be", VIDEO + "--input-file video.mp4 --output-dir new --log frames",
         "The log file cannot be written: ... Give --log another place, or leave it out."),
    ],
    "3 cut-video": [
        ("no such video", CUT + "--input-file nowhere.mp4",
         "input_file not found. There is no {w}/nowhere.mp4: check the name of the video."),
        ("a text", CUT + "--input-file text.mp4 --from-time 0 --to-time 1",
         "{w}/text.mp4 is no video that ffmpeg can read... Try to play it; if it plays, convert it to mp4 first."),
        ("no time", CUT + "--input-file video.mp4 --from-time morning --to-time 1",
         "morning is no time. Write hours:minutes:seconds, like 00:01:30.500."),
        ("the end first", CUT + "--input-file video.mp4 --from-time 5 --to-time 1",
         "The end 1 is not after the start 5. Give an end that lies behind."),
        ("Enter for all", CUT + "--input-file video.mp4",
         "The end 00:00:00.000 is not after the start 00:00:00.000. Give an end that lies behind."),
        ("behind the end", CUT + "--input-file video.mp4 --from-time 10 --to-time 11",
         "The video ends before 10: it is 1.0 seconds long."),
        ("too many bits", CUT + "--input-file video.mp4 --from-time 0 --to-time 0.5 --bitrate 999999999",
         "ffmpeg failed (code ...). Nothing was written. Give a smaller bitrate.\n..."),
    ],
    "3 denoise": [
        ("no such folder", DENOISE + "--input-dir nowhere",
         "input_dir not found. There is no folder {w}/nowhere: check its name."),
        ("no frames", DENOISE + "--input-dir nobody",
         "There are no images in {w}/nobody. Extract the frames of a video first."),
        ("broken frames", DENOISE + "--input-dir broken",
         "These frames cannot be read: 2.png (neither PNG nor JPG), 3.png (0 bytes), 4.png (cut short). Nothing was "
         "changed. Make them again or delete them, then start again."),
        ("two kinds", DENOISE + "--input-dir kinds",
         "All images in kinds should be with the same extension. Move the others to another folder."),
        ("two sizes", DENOISE + "--input-dir sizes",
         "All frames must have one size, and most are 96x64, but not: 3.png (48x32). Nothing was changed. Move these "
         "to another folder."),
    ],
    "8 video-from-sequence": [
        ("no such folder", JOIN + "--input-dir nowhere --output-file new.mp4",
         "input_dir not found. There is no folder {w}/nowhere: merge first (step 7), or check its name."),
        ("no frames", JOIN + "--input-dir nobody --output-file new.mp4",
         "There are no images in {w}/nobody. Merge first (step 7)."),
        ("broken frames", JOIN + "--input-dir broken --output-file new.mp4",
         "These frames cannot be read: 2.png (neither PNG nor JPG), 3.png (0 bytes), 4.png (cut short). Nothing was "
         "changed. Make them again or delete them, then start again."),
        ("no such reference", JOIN_HERE + "--reference-file nowhere.*",
         "reference_file not found. There is no {w}/nowhere.*: put the video of the frames there."),
        ("a text for a reference", JOIN_HERE + "--reference-file text.mp4",
         "{w}/text.mp4 is no video that ffmpeg can read... Try to play it; if it plays, convert it to mp4 first."),
        ("over its reference", JOIN + "--input-dir frames --output-file video.mp4 --reference-file video.mp4",
         "{w}/video.mp4 is the file that is read; the new video would take its place. Choose another name."),
        ("no extension", JOIN + "--input-dir frames --output-file new",
         "{w}/new has no extension. Name the video like result.mp4."),
        ("a picture", JOIN + "--input-dir frames --output-file new.png",
         "{w}/new.png is the name of a picture. Name the video like result.mp4."),
        ("no kind of video", JOIN + "--input-dir frames --output-file new.xyz",
         "ffmpeg failed (code ...). No video was written. This kind of file cannot hold it: take .mp4, .mov or .mkv.\n"
         "..."),
        ("over a folder", JOIN + "--input-dir frames --output-file folder.mp4",
         "{w}/folder.mp4 is a folder. Give the name of a file."),
        ("below a file", JOIN + "--input-dir frames --output-file text.mp4/new.mp4",
         "{w}/text.mp4 cannot be written to: File exists. Choose another folder, or free this one."),
        ("too long a name", JOIN + "--input-dir frames --output-file " + LONG + ".mp4",
         "The name " + LONG + ".mp4 is too long. Give a shorter one."),
        ("no frames a second", JOIN_HERE + "--fps 0", "0 frames a second cannot be. Give --fps a number from 1."),
        ("no such encoder", JOIN_HERE + "--codec h999", "There is no encoder h999. Choose one of: libx264, ..."),
        ("an encoder of another kind", JOIN_HERE + "--codec prores_ks",
         "prores_ks does not go into .mp4 files, but into .mov."),
        ("no such quality", JOIN_HERE + "--crf 99",
         "The quality of libx264 goes from 0 to 51, and 0 is the best; 99 is outside."),
        ("two at once", JOIN_HERE + "--crf 9 --bitrate 3",
         "--crf, --bitrate and --lossless exclude each other. Give one of them."),
        ("no such preset", JOIN_HERE + "--preset turbo",
         "libx264 works here, but not with the --preset or --pix-fmt given (...). Give another, or leave it out."),
    ],
    "4, 5 extract": [
        ("no such folder", EXTRACT + "--input-dir nowhere --output-dir new",
         "Input directory not found. Please ensure it exists: {w}/nowhere (option --input-dir)."),
        ("a file for frames", EXTRACT + "--input-dir video.mp4 --output-dir new",
         "Input directory not found. Please ensure it exists: {w}/video.mp4 (option --input-dir)."),
        ("faces to a file", EXTRACT + "--input-dir frames --output-dir text.mp4",
         "{w}/text.mp4 is a file; faces need a folder of this name. Give another --output-dir."),
        ("faces below a file", EXTRACT + "--input-dir frames --output-dir text.mp4/new",
         "{w}/text.mp4/new cannot be made: Not a directory. Give another folder with --output-dir."),
        ("too long a name", EXTRACT + "--input-dir frames --output-dir " + LONG,
         "{w}/" + LONG + " cannot be made: File name too long. Give another folder with --output-dir."),
        ("faces of nothing", EXTRACT + "--input-dir frames --output-dir nobody --image-size 0",
         "Faces of 0 pixels cannot be saved. Give another --image-size."),
        ("faces of miles", EXTRACT + "--input-dir frames --output-dir nobody --image-size 99999999",
         "Faces of 99999999 pixels cannot be saved. Give another --image-size."),
        ("no graphics card", EXTRACT + "--input-dir frames --output-dir nobody --force-gpu-idxs x",
         "x" + NO_CARD),
        ("no weights", EXTRACT + "--input-dir frames --output-dir nobody",
         "{f}/S3FD.npy is missing. It comes with DeepFaceLab: copy it from another build, or unpack DeepFaceLab again, "
         "into the folder {f}."),
    ],
    "4.2, 5.2 sort": [
        ("no such folder", "sort --by blur --input-dir nowhere", NO_FACES),
        ("a file for faces", "sort --by blur --input-dir video.mp4", FACES_FILE),
        ("nothing to undo", SORT + "--undo", "There is no sort to undo in {w}/faces."),
    ],
    "4.2, 5.2 util": [
        ("pack: no such folder", PACK + "nowhere", NO_FACES),
        ("pack: a file for faces", PACK + "video.mp4", FACES_FILE),
        ("pack: no faces", PACK + "nobody", NO_IMAGE.replace("FOLDER", "nobody")),
        ("pack: frames", PACK + "frames", NO_IMAGE.replace("FOLDER", "frames")),
        ("unpack: no such folder", UNPACK + "nowhere", NO_FACES),
        ("unpack: a text", UNPACK + "bad_pak",
         "{w}/bad_pak/faceset.pak is damaged and cannot be used (...). Copy it again from where it came "
         "from, or remove it and put the face images into the folder."),
        ("unpack: cut short", UNPACK + "short_pak",
         "{w}/short_pak/faceset.pak is damaged and cannot be used (its list is said to be longer than the file). Copy "
         "it again from where it came from, or remove it and put the face images into the folder."),
        ("other tools: no such folder", "util --save-faceset-metadata --input-dir nowhere", NO_FACES),
        ("other tools: a file for faces", "util --export-faceset-mask --input-dir video.mp4", FACES_FILE),
        ("resize: no such folder", "facesettool resize --input-dir nowhere", NO_FACES),
        ("enhance: a file for faces", "facesettool enhance --input-dir video.mp4", FACES_FILE),
        ("metadata that was never saved", "util --restore-faceset-metadata --input-dir faces",
         "There is no meta.dat in {w}/faces, so nothing can be restored: the metadata is saved before the faces are "
         "edited (util --save-faceset-metadata)."),
        ("enhance: no weights", "facesettool enhance --input-dir faces --cpu-only",
         "{f}/FaceEnhancer.npy is missing. It comes with DeepFaceLab: copy it from another build, or unpack "
         "DeepFaceLab again."),
    ],
    "5.XSeg": [
        ("no such folder", "xseg fetch --input-dir nowhere", NO_FACES),
        ("no trained model", "xseg apply --input-dir faces --model-dir model",
         "There is no trained XSeg model in {w}/model: XSeg_256.npy is missing. Train one (step 5.XSeg), or give "
         "another --model-dir."),
    ],
    "6 exportdfm": [
        ("no folder of a model", "exportdfm --model-dir nowhere --model SAEHD",
         "There is no folder {w}/nowhere. Give the folder of the model as --model-dir."),
        ("no trained model", "exportdfm --model-dir model --model SAEHD",
         "There is no trained SAEHD model in {w}/model. Train one (step 6), or give another --model-dir."),
    ],
    "6 train": [
        ("a model in a file", TRAIN.replace("--model-dir model", "--model-dir video.mp4"),
         "{w}/video.mp4 is a file, and a folder is needed. Give another --model-dir."),
        ("faces below a file", TRAIN.replace("src-dir faces", "src-dir video.mp4/faces"),
         "{w}/video.mp4/faces cannot be made: Not a directory. Give another --training-data-src-dir."),
        ("no graphics card", TRAIN + "--force-gpu-idxs first", "first" + NO_CARD),
        ("no time", TRAIN + "--execute-program later print(1)",
         "--execute-program takes two words: a number of seconds, and Python code."),
        ("no program", TRAIN + "--execute-program 5",
         "--execute-program takes two words: a number of seconds, and Python code."),
    ],
}

MERGE = "merge --yes --cpu-only --model SAEHD "
FOLDERS = {"--input-dir": "frames", "--output-dir": "nobody", "--output-mask-dir": "nobody/mask",
           "--aligned-dir": "faces", "--model-dir": "model"}


def merge(**other):
    """The words of a merge with other folders or options: merge(output_dir="text.mp4")."""
    given = dict(FOLDERS, **{"--" + name.replace("_", "-"): value for name, value in other.items()})
    return MERGE + " ".join("{} {}".format(*pair) for pair in sorted(given.items()))


STEPS["7 merge"] = [
    ("no frames", merge(input_dir="nowhere"),
     "Input directory not found. Please ensure it exists: {w}/nowhere (option --input-dir)."),
    ("no faces", merge(aligned_dir="nowhere"),
     "Aligned directory not found. Please ensure it exists: {w}/nowhere (option --aligned-dir)."),
    ("no folder of a model", merge(model_dir="nowhere"),
     "Model directory not found. Please ensure it exists: {w}/nowhere (option --model-dir)."),
    ("to a file", merge(output_dir="text.mp4"), "The output folder {w}/text.mp4 is a file. Give another folder."),
    ("below a file", merge(output_dir="text.mp4/new"),
     "{w}/text.mp4/new cannot be made: Not a directory. Give another --output-dir."),
    ("too long a name", merge(output_dir=LONG), "{w}/" + LONG + " cannot be made: File name too long. Give another "
                                                                "--output-dir."),
    ("over the frames", merge(output_dir="frames"),
     "The output folder and the input folder are the same: {w}/frames. Earlier images in the output folder are "
     "deleted, so nothing was started. Give another folder with --output-dir."),
    ("masks over the frames", merge(output_mask_dir="nobody"),
     "Merged frames and masks have the same names and cannot go to one folder, {w}/nobody. Give another folder with "
     "--output-mask-dir."),
    ("no graphics card", merge(force_gpu_idxs="x"), "x" + NO_CARD),
]

WORDS = [
    ("no folder", "sort --by blur", "the following arguments are required: --input-dir"),
    ("no such method", SORT + "--by colour", "argument --by: invalid choice: 'colour' (choose from ..."),
    ("no such option", SORT + "--colour", "unrecognized arguments: --colour"),
    ("letters for a number", VIDEO + "--input-file video.mp4 --output-dir new --fps all",
     "argument --fps: invalid int value: 'all'"),
    ("both answers", PACK + "faces --delete-originals --keep-originals",
     "argument --keep-originals: not allowed with argument --delete-originals"),
    ("no such setting", merge(set="colour=red"), "argument --set: 'colour=red' is no setting. There are: mode, ..."),
    ("a setting out of range", merge(set="erode_mask_modifier=9999"),
     "argument --set: erode_mask_modifier is a number from -400 to 400."),
    ("no such face", EXTRACT + "--input-dir frames --output-dir new --face-type nose",
     "argument --face-type: invalid choice: 'nose' (choose from ..."),
]

# What is typed at the questions: what is wrong | the words | typed | exit code | the last thing that is shown.
TYPED = [
    ("no faces wanted", SORT + "--by final", "0\n", 1,
     "The target number of faces is 0, which would trash every face. Nothing was changed. Ask for at least 1."),
    ("fewer faces than none", SORT + "--by final", "-4\n", 1,
     "The target number of faces is -4, which would trash every face. Nothing was changed. Ask for at least 1."),
    ("frames of before stay", OVER_FRAMES, "n\n", 1,
     "Nothing was changed. Move the earlier files to another folder, then start again."),
    ("fewer frames than none", "videoed extract-video --input-file video.mp4 --output-dir new", "-5\npng\n", 1,
     "-5 frames a second cannot be. Give a number from 1, or 0 for all frames."),
    ("no times", "videoed cut-video --input-file video.mp4", "from\nto\nq\nw\n", 1,
     "to is no time. Write hours:minutes:seconds, like 00:01:30.500."),
]

# Ctrl-C at a question: which | the words.
STOPPED = [
    ("the method of sort", SORT),
    ("frames a second", "videoed extract-video --input-file video.mp4 --output-dir new"),
    ("deletion of earlier frames", OVER_FRAMES),
    ("the time of a cut", "videoed cut-video --input-file video.mp4"),
    ("the strength of denoising", "videoed denoise-image-sequence --input-dir frames"),
    ("the bitrate", "videoed video-from-sequence --input-dir frames --output-file new.mp4 --fps 25"),
]
