"""recipes/cluster/train.py, started by Ray Train on the workers of a Ray cluster, or of this machine.

    python3.11 -m venv ray && ray/bin/pip install . "ray[train]==2.60.*" "pyarrow<20"
    ray/bin/python recipes/cluster/with_ray.py --workers 2 --out /shared/run [--smoke]

Ray sets TF_CONFIG on each worker and starts all of them again when one is lost; the training continues after its last
whole epoch. Newer versions of pyarrow, which Ray's installation picks, refuse the NumPy that TensorFlow 2.17 needs.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.tensorflow import TensorflowTrainer


def train_here(flags):
    """What each worker runs; `flags` are those of train.py."""
    sys.path.insert(0, flags.pop("recipes"))
    os.chdir(flags.pop("folder"))  # Ray starts workers in a folder of its own
    import train

    model = train.main(argparse.Namespace(**flags))
    ray.train.report({"weights": float(sum(abs(weight).sum() for weight in model.get_weights()))})


def main(args):
    flags = {key: getattr(args, key) for key in ("data", "test", "out", "epochs", "seed", "smoke")}
    flags |= {"recipes": str(Path(__file__).parent.resolve()), "folder": os.getcwd()}
    trainer = TensorflowTrainer(
        train_here,
        train_loop_config=flags,
        scaling_config=ScalingConfig(num_workers=args.workers, use_gpu=args.gpus),
        run_config=RunConfig(name="mmkeras", failure_config=FailureConfig(max_failures=args.restarts)),
    )
    print(trainer.fit().metrics)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="number of processes, one for each machine or GPU")
    parser.add_argument("--gpus", action="store_true", help="a GPU for each worker")
    parser.add_argument("--restarts", type=int, default=3, help="how often all are started again when one is lost")
    parser.add_argument("--data", help="as of train.py; a folder that every worker has")
    parser.add_argument("--test", help="as of train.py")
    parser.add_argument("--out", required=True, help="folder of the run, which all workers share")
    parser.add_argument("--epochs", type=int, default=14, help="at most")
    parser.add_argument("--seed", type=int, default=0, help="of data, split, order and weights")
    parser.add_argument("--smoke", action="store_true", help="tiny data and two epochs")
    main(parser.parse_args())
