"""Launcher, so that `python cli.py export --checkpoint …` works in a checkout."""

from faceport.commands import main

if __name__ == "__main__":
    main()
