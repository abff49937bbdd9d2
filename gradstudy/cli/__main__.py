"""`python -m gradstudy.cli`."""

from __future__ import annotations

from gradstudy.cli import main

if __name__ == "__main__":
    main()
