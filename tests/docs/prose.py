"""A linter of the prose in pages and docstrings: `python tests/docs/prose.py [--measure] [ROOT]`.

It reads the Markdown pages and the docstrings of `harness/`, and reports sentences that are too long and words with a
plainer form. Code, tables, links' targets and the sections of docstrings about types are left out. `--measure` prints
the reading level (Flesch-Kincaid grade), the mean length of a sentence and the longest sentence, and no findings.

No library fits: vale's package downloads its program at run time, proselint's rules are about style in essays and take
no maximum length, and textstat needs a corpus that is downloaded.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST = 40
"""Words of a sentence."""
LEFT = 30
"""Findings in docstrings that are accepted until they are rewritten; never increase it. Pages have none."""

PLAINER = {
    r"\b(?:therein|thereof|thereby|hereby|herein|wherein|whereby|whilst|amongst)\b": "an ordinary preposition",
    r"\bhence\b": "so, therefore",
    r"\balike\b": "both, the same",
    r"\b(?:utili[sz]e[sd]?|utili[sz]ing)\b": "use",
    r"\bin order to\b": "to",
    r"\bdue to the fact that\b": "because",
    r"\bprior to\b": "before",
    r"\b(?:obviously|of course|needless to say)\b": "nothing",
    r"\bfor who\b|\bfor whom it is\b": "a noun: the process, the reader",
    r"\b(?:somebody|nobody|anybody) else\b": "a noun: another process, no other process",
    r"\b(?:a want of|wants of) memory\b": "an out-of-memory error",
    r"\bforeign (?:predictions|poses)\b": "external predictions",
    r"\bof one's own\b": "your own, custom",
    r"\bis said\b|\bare said\b": "is reported",
    r"\b(?:forgives?|forgiven)\b": "accepts",
    r"\b(?:e\.g|i\.e)\.(?! )": "a space behind the abbreviation",
}
"""Patterns with what to write in their place."""

_SECTION = re.compile(r"^(?:Args|Returns|Yields|Raises):$")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d`(\"'\[])")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|Fig|No)\.")


@dataclass(frozen=True)
class Sentence:
    """A sentence with its place."""

    place: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words, numbers and names of code; a name of code counts as one."""
        return re.findall(r"[\w'`/.\-]*\w[\w'`/.\-]*", self.text)


def pages(root: Path) -> Iterator[Path]:
    """Yield the Markdown pages of a checkout; `docs/api.md` has the docstrings again."""
    yield from (root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md") if (root / name).is_file())
    yield from (path for path in sorted((root / "docs").glob("*.md")) if path.name != "api.md")


def sentences_of_page(path: Path, root: Path) -> Iterator[Sentence]:
    """Yield the sentences of a page; each item of a list is a paragraph, tables and headings are left out."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"!?\[((?:[^\]\[]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^(?:\||#|    ).*$", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n|^\s*(?:- |\d+\. )", text, flags=re.MULTILINE):
        yield from _sentences(paragraph, path.relative_to(root).as_posix())


def sentences_of_module(path: Path, root: Path) -> Iterator[Sentence]:
    """Yield the sentences of all docstrings of a module, those of attributes among them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            place = f"{path.relative_to(root).as_posix()}:{node.lineno}"
            for paragraph in _paragraphs(node.value.value):
                yield from _sentences(paragraph, place)


def _paragraphs(docstring: str) -> Iterator[str]:
    """Yield the paragraphs and items of a docstring; tables, code and examples are left out."""
    lines: list[str] = []
    for line in [*re.sub(r"^\s*(?:>>>|\.\.\.|\|).*$", "", docstring, flags=re.MULTILINE).splitlines(), ""]:
        stripped = line.strip()
        item = re.match(r"^(?:\w+|\*\w+): ", stripped)
        if not stripped or item or _SECTION.match(stripped) or re.match(r"[-*] |\d\. ", stripped):
            yield " ".join(lines)
            lines = [] if not stripped or _SECTION.match(stripped) else [stripped.removeprefix(item[0] if item else "")]
        else:
            lines.append(stripped)
    yield " ".join(lines)


def _sentences(paragraph: str, place: str) -> Iterator[Sentence]:
    text = _ABBREVIATION.sub(lambda found: found[0].replace(".", "·"), " ".join(paragraph.split()))
    for sentence in _SENTENCE.split(text):
        found = Sentence(place, sentence.replace("·", "."))
        if found.words:
            yield found


def findings(sentence: Sentence) -> Iterator[str]:
    """Yield what is wrong with a sentence."""
    if (count := len(sentence.words)) > LONGEST:
        yield f"{sentence.place}: a sentence of {count} words, at most {LONGEST}: {sentence.text[:70]}..."
    for pattern, instead in PLAINER.items():
        if found := re.search(pattern, sentence.text, re.IGNORECASE):
            yield f"{sentence.place}: {found[0]!r}: write {instead}: {sentence.text[:70]}"


def syllables(word: str) -> int:
    """Estimate the syllables of a word: its groups of vowels, without a silent e."""
    groups = re.findall(r"[aeiouy]+", re.sub(r"(?<=[^l])e$", "", word.lower()))
    return max(1, len(groups))


def grade(sentences: list[Sentence]) -> float:
    """Return the Flesch-Kincaid grade: years of school that a reader needs."""
    words = [word for sentence in sentences for word in sentence.words]
    plain = [word for word in words if word.isalpha()]
    per_word = sum(map(syllables, plain)) / len(plain)
    return 0.39 * len(words) / len(sentences) + 11.8 * per_word - 15.59


def main(arguments: list[str]) -> int:
    """Print findings or measurements; return 1 for a finding in a page, or for more in docstrings than are accepted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--measure", action="store_true")
    chosen = parser.parse_args(arguments)
    root = chosen.root.absolute()
    modules = sorted((root / "harness").rglob("*.py"))
    parts = {
        "pages": [one for path in pages(root) for one in sentences_of_page(path, root)],
        "docstrings": [one for path in modules for one in sentences_of_module(path, root)],
    }
    if chosen.measure:
        for name, found in parts.items():
            longest = max(found, key=lambda one: len(one.words))
            mean = sum(len(one.words) for one in found) / len(found)
            print(
                f"{name}: {len(found)} sentences, grade {grade(found):.1f}, {mean:.1f} words in the mean, "
                f"longest {len(longest.words)} ({longest.place}: {longest.text[:60]}...)"
            )
        return 0
    wrong = {name: [text for one in found for text in findings(one)] for name, found in parts.items()}
    for name, texts in wrong.items():
        print("\n".join([*texts, f"{name}: {len(texts)} findings in {len(parts[name])} sentences"]))
    return 1 if wrong["pages"] or len(wrong["docstrings"]) > LEFT else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
