"""The two READMEs: they say the same, what they quote is in the program, and their pictures and links are there."""
import ast
import glob
import os
import re

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
READMES = ("README.md", "README_RU.md")
LARGEST_PICTURE = 40000
OF_OTHERS = {"--upgrade"}      # options that are pip's


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


TEXTS = {name: read(name) for name in READMES}


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text):
    return re.findall(r"^(#+) (.*)$", without_code(text), re.MULTILINE)


def slug(heading):
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def tables(text):
    """Return the tables (list of lists of lines), their rules left out."""
    found = re.findall(r"(?:^\|.*\n)+", without_code(text) + "\n", re.MULTILINE)
    return [[line for line in table.splitlines() if not re.match(r"[| -]+$", line)] for table in found]


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def options(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def commands(text):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(language, [re.sub(r" +#.*", "", line) for line in code.splitlines()]) for language, code in blocks]


def literals():
    """Return all texts that the programs may show, and the lines of their launchers."""
    found = []
    for folder in ("DeepFaceLab", "installer", "benchmarks"):
        for path in sorted(glob.glob(os.path.join(ROOT, folder, "**", "*.py"), recursive=True)):
            for node in ast.walk(ast.parse(read(path))):
                value = getattr(node, "s", None) if type(node).__name__ == "Str" else getattr(node, "value", None)
                if isinstance(value, str):
                    found.append(value)
    return "\n".join(found + [read("install.bat"), read("install.sh")])


@pytest.fixture(scope="module")
def spoken():
    return literals()


def quotes(name):
    """Return what the tables of troubles and of questions quote, between quotation marks."""
    titles = {"what you see", "что видно", "new question", "новый вопрос"}
    rows = [cells(line)[column] for table in tables(TEXTS[name]) for column in (0, 1)
            if cells(table[0])[column] in titles for line in table[1:]]
    return [quote for row in rows for quote in re.findall('["«](.*?)["»]', row)]


# --- one and the other --------------------------------------------------------------------------

def test_headings_have_the_same_levels():
    english, russian = ([level for level, _ in headings(TEXTS[name])] for name in READMES)
    assert english == russian


def test_tables_have_the_same_shapes():
    shapes = [[[len(cells(line)) for line in table] for table in tables(TEXTS[name])] for name in READMES]
    assert shapes[0] == shapes[1]
    assert all(len(set(shape)) == 1 for shape in shapes[0])


def test_options_and_commands_are_the_same():
    assert options(TEXTS["README.md"]) == options(TEXTS["README_RU.md"])
    assert commands(TEXTS["README.md"]) == commands(TEXTS["README_RU.md"])


def test_pictures_folds_and_lists_are_the_same():
    for pattern in (r"!\[.*?\]\((.*?)\)", r"<details>|</details>|<!--.*?-->", r"^(?:- |\d\. )(?=.)"):
        english, russian = (re.findall(pattern, TEXTS[name], re.MULTILINE) for name in READMES)
        assert english == russian


def test_the_same_words_of_the_program_are_explained():
    assert quotes("README.md") == quotes("README_RU.md")


# --- and the project ----------------------------------------------------------------------------

@pytest.mark.parametrize("name", READMES)
def test_what_is_quoted_is_what_the_program_says(name, spoken):
    strange = [quote for quote in quotes(name) for part in re.split(r"\.\.\.", quote)
               if len(part.strip()) > 3 and part.strip(" :,") not in spoken]
    assert len(quotes(name)) > 40 and strange == []


def test_options_are_known(spoken):
    known = set(re.findall(r"--[a-z][a-z-]+", spoken))
    known |= {"--no-" + option[2:] for option in known}
    assert options(TEXTS["README.md"]) - known - OF_OTHERS == set()


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name):
    text = TEXTS[name]
    anchors = {slug(heading) for _, heading in headings(text)}
    for target in re.findall(r"\]\((.*?)\)", without_code(text), re.DOTALL):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert os.path.exists(os.path.join(ROOT, target)), target
    for path in re.findall(r"`((?:DeepFaceLab|tests|tools|benchmarks|installer)/[\w./]*)`", text):
        assert os.path.exists(os.path.join(ROOT, path)) or path == "DeepFaceLab/facelib", path


def test_every_picture_is_shown_and_harmless():
    shown = {os.path.basename(path) for path in re.findall(r"\((docs/.*?)\)", TEXTS["README.md"])}
    there = set(os.listdir(os.path.join(ROOT, "docs")))
    assert shown == there
    for name in sorted(there):
        if name.endswith(".svg"):
            text = read(os.path.join("docs", name))
            assert len(text.encode("utf-8")) < LARGEST_PICTURE, name
            assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}, name
            assert not re.search(r"@font-face|<script|<image|url\((?!#)|/(home|root|work|Users)/", text), name
