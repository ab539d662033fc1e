"""What a fork's module offers that ours lacks, and whether other modules of the fork use it.

A fork's own module may be replaced as long as nothing outside of it asks for names that are gone then. This
reads sources and runs none.
"""
import ast
import os
import re


def used_additions(path, theirs, ours, others):
    """Return the names (sorted list of str) that other modules use and that replacing a module would take away.

    path: of the module below the tree, with forward slashes; theirs, ours: sources (bytes); others: {path:
    source (bytes)} of the modules that stay. A source that cannot be parsed counts as using nothing.
    """
    module = path.rpartition("/")[2][:-len(".py")]
    if module == "__init__":
        module = path.split("/")[-2]
    lost = _lost(_parse(theirs), _parse(ours))
    used = set()
    for other, source in others.items():
        if any(re.findall(r"\w+", name)[-1].encode() in source for name in lost):
            used |= _used(lost, module, _parse(source))
    return sorted(used)


def _parse(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module(body=[])


def _lost(theirs, ours):
    """Names of one module that the other lacks: "name", "Class.name", "function(parameter=)"."""
    old, new = _definitions(theirs), _definitions(ours)
    return {name for name in old - new if not any(_owner(name) == gone for gone in old - new)}


def _owner(name):
    """The class or function that a name belongs to: gone as a whole, it stands for all that is in it."""
    return name.partition("(")[0] if "(" in name else name.rpartition(".")[0]


def _definitions(tree, prefix=""):
    found = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.add(prefix + node.name)
            found |= _definitions(node, prefix + node.name + ".")
        elif isinstance(node, ast.FunctionDef):
            found.add(prefix + node.name)
            arguments = node.args.args + node.args.kwonlyargs
            found |= {"{}{}({}=)".format(prefix, node.name, argument.arg) for argument in arguments}
        elif isinstance(node, ast.Assign):
            found |= {prefix + target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _used(lost, module, tree):
    """Which of the lost names another module (its syntax tree) uses."""
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                and (node.module or "").rpartition(".")[2] == module for alias in node.names}
    used = {name for name in lost if name in imported}
    if _imports_everything(tree):
        used |= lost & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if getattr(node.value, "id", None) == module and node.attr in lost:
                used.add(node.attr)
            used |= {name for name in lost if "(" not in name and "." in name
                     and name.rpartition(".")[2] == node.attr}
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            for keyword in node.keywords:
                used |= {name for name in lost if _is_parameter(name, called, keyword.arg)}
    return used


def _imports_everything(tree):
    return any(alias.name == "*" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
               for alias in node.names)


def _is_parameter(name, called, keyword):
    function, _, parameter = name.partition("(")
    if parameter != "{}=)".format(keyword):
        return False
    owner, _, last = function.rpartition(".")
    return called == last or last == "__init__" and called == owner


def sources(tree, left_out):
    """Return {path: source (bytes)} of a tree's modules but for the paths left out."""
    found = {}
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git", "accel")
                      and not _is_environment(os.path.join(folder, name))]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), tree).replace(os.sep, "/")
            if name.endswith(".py") and path not in left_out:
                with open(os.path.join(folder, name), "rb") as stream:
                    found[path] = stream.read()
    return found


def _is_environment(folder):
    return any(os.path.exists(os.path.join(folder, name)) for name in ("pyvenv.cfg", "conda-meta"))
