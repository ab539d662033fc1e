"""What a sort and its undo do to names: folders are dicts of file name -> content."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def apply_order(folder, ordered, trashed):
    """Return (the folder, its trash) after a sort. ordered, trashed: lists of file names."""
    digits = 5
    while 10 ** digits < len(ordered):
        digits += 1
    new_folder, trash = {}, {}
    for name in folder:
        if not name.lower().endswith(SUFFIXES):
            new_folder[name] = folder[name]
    for place in range(len(ordered)):
        name = ordered[place]
        number = str(place)
        while len(number) < digits:
            number = "0" + number
        new_folder[number + name[name.rindex("."):]] = folder[name]
    for name in trashed:
        trash[name] = folder[name]
    return new_folder, trash
