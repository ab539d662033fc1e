"""Questions, what is typed, and what stock's console prints and returns for it.

A question: (kind, positional arguments, keyword arguments, answers); an answer: (typed text, at the
end of which stdin closes; printed text; result).
"""
import contextlib
import io
import sys

QUESTIONS = [
    ("int", ("", 5), {"valid_list": list(range(15))}, [
        ("\n", "[5] : 5\n", 5),
        ("", "[5] : 5\n", 5),
        ("7\n", "[5] : 7\n", 7),
        ("15\n", "[5] : 5\n", 5),
        ("-1\n", "[5] : 5\n", 5),
        ("x\n", "[5] : 5\n", 5),
        ("3.0\n", "[5] : 5\n", 5),
        (" 4 \n", "[5] : 4\n", 4),
        ("1_0\n", "[5] : 10\n", 10),
    ]),
    ("int", ("Number of workers?", 8), {"valid_range": [1, 8], "help_message": "More is faster."}, [
        ("\n", "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
        ("", "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
        ("3\n", "[8] Number of workers? ( 1-8 ?:help ) : 3\n", 3),
        ("0\n", "[8] Number of workers? ( 1-8 ?:help ) : 1\n", 1),
        ("99\n", "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
        ("?\n", "[8] Number of workers? ( 1-8 ?:help ) : More is faster.\n"
         "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
        ("?\n8\n", "[8] Number of workers? ( 1-8 ?:help ) : More is faster.\n"
         "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
        ("99999999999999999999\n", "[8] Number of workers? ( 1-8 ?:help ) : 8\n", 8),
    ]),
    ("int", ("Size", 512), {"add_info": "multiple of 16"}, [
        ("300\n", "[512] Size ( multiple of 16 ) : 300\n", 300),
    ]),
    ("int", ("Size", 512), {"valid_range": (256, 2048), "add_info": "px", "help_message": "h"}, [
        ("300\n", "[512] Size ( 256-2048 px ?:help ) : 300\n", 300),
    ]),
    ("int", ("Target", 2000), {"valid_range": (1.0, 10.0), "valid_list": [3, 4]}, [
        ("2.5\n", "[2000] Target ( 1.0-10.0 ) : 2000\n", 2000),
        ("11\n", "[2000] Target ( 1.0-10.0 ) : 2000\n", 2000),
    ]),
    ("int", ("Target", 2000), {}, [
        ("?\n", "[2000] Target : 2000\n", 2000),
    ]),
    ("int", ("Target number of images?", 2000), {}, [
        ("\n", "[2000] Target number of images? : 2000\n", 2000),
    ]),
    ("bool", ("Sort by similar?", True), {}, [
        ("\n", "[y] Sort by similar? ( y/n ) : y\n", True),
        ("", "[y] Sort by similar? ( y/n ) : y\n", True),
        ("y\n", "[y] Sort by similar? ( y/n ) : ", True),
        ("N\n", "[y] Sort by similar? ( y/n ) : ", False),
        ("n\n", "[y] Sort by similar? ( y/n ) : ", False),
        ("yes\n", "[y] Sort by similar? ( y/n ) : ", True),
        ("?\n", "[y] Sort by similar? ( y/n ) : ", True),
        ("?\nn\n", "[y] Sort by similar? ( y/n ) : ", True),
    ]),
    ("bool", ("Interactive merger?", False), {"help_message": "Keys or questions."}, [
        ("\n", "[n] Interactive merger? ( y/n ?:help ) : n\n", False),
        ("", "[n] Interactive merger? ( y/n ?:help ) : n\n", False),
        ("y\n", "[n] Interactive merger? ( y/n ?:help ) : ", True),
        ("N\n", "[n] Interactive merger? ( y/n ?:help ) : ", False),
        ("n\n", "[n] Interactive merger? ( y/n ?:help ) : ", False),
        ("yes\n", "[n] Interactive merger? ( y/n ?:help ) : ", False),
        ("?\n", "[n] Interactive merger? ( y/n ?:help ) : Keys or questions.\n"
         "[n] Interactive merger? ( y/n ?:help ) : n\n", False),
        ("?\nn\n", "[n] Interactive merger? ( y/n ?:help ) : Keys or questions.\n"
         "[n] Interactive merger? ( y/n ?:help ) : ", False),
    ]),
    ("str", ("Format", "png"), {"valid_list": ["png", "jpg"], "help_message": "png loses nothing."}, [
        ("\n", "[png] Format ( png/jpg ?:help ) : png\n", "png"),
        ("", "[png] Format ( png/jpg ?:help ) : png\n", "png"),
        ("PNG\n", "[png] Format ( png/jpg ?:help ) : png\n", "png"),
        ("bmp\njpg\n", "[png] Format ( png/jpg ?:help ) : [png] Format ( png/jpg ?:help ) : jpg\n", "jpg"),
        ("bmp\n", "[png] Format ( png/jpg ?:help ) : [png] Format ( png/jpg ?:help ) : png\n", "png"),
        ("?\npng\n", "[png] Format ( png/jpg ?:help ) : png loses nothing.\n"
         "[png] Format ( png/jpg ?:help ) : png\n", "png"),
    ]),
    ("str", ("Format",), {"valid_list": ["png", "JPG"]}, [
        ("\n", "Format ( png/JPG ) : \n", None),
        ("", "Format ( png/JPG ) : None\n", None),
        ("PNG\n", "Format ( png/JPG ) : png\n", "png"),
        ("bmp\nJPG\n", "Format ( png/JPG ) : Format ( png/JPG ) : JPG\n", "JPG"),
        ("bmp\n", "Format ( png/JPG ) : Format ( png/JPG ) : None\n", None),
        ("?\npng\n", "Format ( png/JPG ) : Format ( png/JPG ) : png\n", "png"),
    ]),
    ("str", ("Name",), {}, [
        ("\n", "Name : \n", None),
        ("", "Name : None\n", None),
        ("some Text \n", "Name : some Text \n", "some Text "),
        ("?\nx\n", "Name : ?\n", "?"),
    ]),
    ("str", ("Name", "old"), {"help_message": "Any."}, [
        ("\n", "[old] Name ( ?:help ) : old\n", "old"),
        ("", "[old] Name ( ?:help ) : old\n", "old"),
        ("some Text \n", "[old] Name ( ?:help ) : some Text \n", "some Text "),
        ("?\nx\n", "[old] Name ( ?:help ) : Any.\n[old] Name ( ?:help ) : x\n", "x"),
    ]),
    ("str", ("Name", ""), {}, [
        ("\n", "[] Name : \n", ""),
        ("", "[] Name : \n", ""),
        ("some Text \n", "[] Name : some Text \n", "some Text "),
        ("?\nx\n", "[] Name : ?\n", "?"),
    ]),
]


def play(ask, arguments, options, typed):
    """Ask one question with `typed` as stdin. Return (printed text, result)."""
    printed = io.StringIO()
    stdin, sys.stdin = sys.stdin, io.StringIO(typed)
    try:
        with contextlib.redirect_stdout(printed):
            result = ask(*arguments, **options)
    finally:
        sys.stdin = stdin
    return printed.getvalue(), result
