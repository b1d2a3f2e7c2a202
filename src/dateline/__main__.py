"""`python -m dateline`, the same as the command.

Enters: the words of a command line. Leaves: an exit code. Deliberately not done: anything else.
"""

from dateline.cli import main

main()
