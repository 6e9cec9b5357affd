"""``python -m selfsame``."""

from . import main

main()
