"""The page and the examples of the public names.

`python tests/public_names.py` writes docs/api.md, `python tests/public_names.py examples` runs the examples.
"""

import doctest
import inspect
import re
import sys
from pathlib import Path

from harness import api

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def api_page() -> str:
    """Return docs/api.md: the module's text, then each name with its signature and docstring."""
    parts = [f"# Python interface\n\n{_text(api)}"]
    for name in api.__all__:
        public = getattr(api, name)
        head = f"## {name}"
        if inspect.isfunction(public):
            head += f"\n\n```python\n{_signature(name, inspect.signature(public))}\n```"
        parts.append(f"{head}\n\n{_text(public)}")
    return "\n\n".join(parts) + "\n"


def _signature(name: str, signature: inspect.Signature) -> str:
    """Return a signature in one line where it fits, else with an argument a line."""
    arguments = [_argument(parameter) for parameter in signature.parameters.values()]
    keyword = [parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in signature.parameters.values()]
    if True in keyword:
        arguments.insert(keyword.index(True), "*")
    end = f" -> {_annotation(signature.return_annotation)}"
    line = f"{name}({', '.join(arguments)}){end}"
    return line if len(line) <= 100 else "\n".join([f"{name}(", *(f"    {one}," for one in arguments), f"){end}"])


def _argument(parameter: inspect.Parameter) -> str:
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    return f"{star}{parameter.name}: {_annotation(parameter.annotation)}{default}"


def _annotation(annotation: object) -> str:
    """Return an annotation without the modules of its names."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text)


def _text(documented: object) -> str:
    """Return a docstring as Markdown: sections become lists, and examples blocks of code."""
    lines: list[str] = []
    section = example = False
    for line in (inspect.getdoc(documented) or "").splitlines():
        if line.startswith(">>>") and not example:
            example, section = True, False
            lines.append("```pycon")
        elif example and not line:
            example = False
            lines.append("```")
        if line in ("Args:", "Returns:", "Raises:"):
            section = True
            lines += [f"**{line[:-1]}**", ""]
        elif section and line.startswith("    "):
            lines.append(_item(line[4:]))
        else:
            section = section and not line
            lines.append(line)
    return "\n".join([*lines, *(["```"] if example else [])])


def _item(line: str) -> str:
    """Return a line of a section: an argument or an error as an item, the rest as it is."""
    name, colon, rest = line.partition(": ")
    if line.startswith("    "):
        return f"  {line[4:]}"
    return f"- `{name}`: {rest}" if colon and " " not in name else line


def run_examples() -> doctest.TestResults:
    """Run the examples in the current folder, in which they read `data` and write `runs`."""
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    tests = finder.find(api, "harness")  # first, since it makes the run that the others read
    for name in api.__all__:
        tests += finder.find(getattr(api, name), name, module=False)
    for test in tests:
        runner.run(test)
    return runner.summarize(verbose=False)


if __name__ == "__main__":
    if sys.argv[1:] == ["examples"]:
        result = run_examples()
        print(f"{result.attempted} examples, {result.failed} failed")
        sys.exit(result.failed > 0)
    PAGE.write_text(api_page(), encoding="utf-8")
