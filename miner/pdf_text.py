"""The child process that opens a PDF: reads it from stdin, writes its pages' text to stdout.

Run by file by `miner.pdf`, never imported: a PDF is the work of strangers, and the C++ library that
reads it may crash, hang or eat all memory. So it does that here, within limits set before it loads.
"""

from __future__ import annotations

import json
import resource
import sys

_MOST_PAGES = 2000
_MOST_CHARACTERS = 20_000_000


def _limit(memory: int, cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _pages(body: bytes) -> list[str]:
    import pypdfium2

    document = pypdfium2.PdfDocument(body)
    pages: list[str] = []
    n_characters = 0
    for number in range(min(len(document), _MOST_PAGES)):
        page = document[number]
        text = page.get_textpage()
        pages.append(text.get_text_bounded())
        text.close()
        page.close()
        n_characters += len(pages[-1])
        if n_characters > _MOST_CHARACTERS:
            sys.exit("more text than any paper has")
    return pages


def _main() -> None:
    _limit(int(sys.argv[1]), int(sys.argv[2]))
    body = sys.stdin.buffer.read()
    try:
        pages = _pages(body)
    except ModuleNotFoundError:
        sys.exit("pypdfium2 is missing")
    except MemoryError:
        sys.exit("it needs more memory than it may have")
    except Exception as e:
        sys.exit(f"{e}"[:200])
    sys.stdout.write(json.dumps(pages))


if __name__ == "__main__":
    _main()
