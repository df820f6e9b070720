"""`python -m harness.gpu_session OUT`: the command of the package."""

import argparse
import sys
from pathlib import Path

from harness.gpu_session.session import Session


def main(arguments: list[str]) -> int:
    """Run the session, print its summary, and return 0 if every step is done, else 1."""
    parser = argparse.ArgumentParser(prog="python -m harness.gpu_session", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder for at most 6 small files: summary.json, log.txt, gpu.md, ...")
    parser.add_argument("--minutes", type=float, default=13, help="end after this many minutes (default: 13)")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to rehearse (default: cuda)")
    parser.add_argument(
        "--data", type=Path, help="a data folder with a few images, to compare MMPose's own loop with the shared engine"
    )
    parser.add_argument("--subset", type=Path, help="a data folder with some of COCO's images, for whole runs")
    parser.add_argument("--weights", type=Path, help="a suite file of trained networks, or a folder with tinypose.yaml")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels to unpack first, for the session only")
    parser.add_argument("--only", default="", metavar="STEP[,STEP]", help="only these steps")
    session = Session(parser.parse_args(arguments))
    try:
        session.run()
        print(session.summary(), flush=True)
    finally:
        session.close()
    return 0 if session.complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
