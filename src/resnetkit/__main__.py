"""``python -m resnetkit``, the form that torchrun starts."""

from resnetkit.cli.app import main

if __name__ == "__main__":
    main()
