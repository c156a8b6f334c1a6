"""``python -m foveola`` is ``foveola``."""

from foveola.cli import main

main()
