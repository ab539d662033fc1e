#!/bin/sh
# Installs the accelerated overlay into DeepFaceLab:
#   sh install.sh [FOLDER_OF_DEEPFACELAB] [--dry-run] [--yes] [--verify] [--uninstall] ...
# It only finds a Python and, started without words, the folder; install.py, beside this file, does the work.
# DFL_PYTHON is the Python to use, if it is set.

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1

runs() {  # runs PROGRAM: whether it is a Python that can run install.py
    "$1" -c "import sys; sys.exit(sys.version_info < (3, 6))" < /dev/null > /dev/null 2>&1
}

find_python() {
    if [ -n "$DFL_PYTHON" ]; then
        python=$DFL_PYTHON
        runs "$python" && return
        echo "DFL_PYTHON is \"$DFL_PYTHON\", and that is no Python 3.6 or newer that runs. Nothing was changed." >&2
        exit 1
    fi
    for python in python3 python; do
        runs "$python" && return
    done
    echo "Python 3.6 or newer is needed and was not found. Install it, or set DFL_PYTHON to its path," >&2
    echo "and start install.sh again. Nothing was changed." >&2
    exit 1
}

find_folder() {  # our own folder, or up to two above it, may be the build that this was unpacked into
    for level in "$here" "$here/.." "$here/../.."; do
        if [ -f "$level/_internal/DeepFaceLab/main.py" ]; then
            folder=$(cd -- "$level" && pwd)
            return
        fi
        # Our own DeepFaceLab folder holds no "models"; a clone may have any name.
        if [ -f "$level/main.py" ] && [ -d "$level/models" ]; then
            folder=$(cd -- "$level" && pwd)
            return
        fi
        if [ -f "$level/DeepFaceLab/main.py" ] && [ -d "$level/DeepFaceLab/models" ]; then
            folder=$(cd -- "$level/DeepFaceLab" && pwd)
            return
        fi
    done
    printf '%s' "Drag the DeepFaceLab folder into this window and press Enter: "
    read -r folder
    case $folder in  # quotes that a file manager puts around a dropped path
        \'*\') folder=${folder#?}; folder=$(printf '%s\n' "${folder%?}" | sed "s/'\\\\''/'/g") ;;
        \"*\") folder=${folder#?}; folder=${folder%?} ;;
    esac
    case $folder in
        '') echo; echo "No folder was given. Nothing was changed." >&2; return 1 ;;
        -*) folder=./$folder ;;
    esac
}

finish() {  # finish CODE: a window that was opened for this would close with what it shows
    if [ "$asked" ] && [ -t 0 ] && [ -t 1 ]; then
        printf '%s' "Press Enter to end. "
        read -r _
    fi
    exit "$1"
}

asked=
find_python
if [ $# -eq 0 ]; then
    asked=1
    find_folder || finish 1
    set -- "$folder"
fi
"$python" "$here/install.py" "$@"
finish $?
