"""The files of recipes/cluster: their form, and what they hand to train.py."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

CLUSTER = Path(__file__).parents[2] / "recipes" / "cluster"


def test_the_tfjob_is_what_the_operator_reads():
    """Of the schema of kubeflow.org/v1: required fields, the allowed values, and names that the operator looks for."""
    job = yaml.safe_load((CLUSTER / "tfjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob") and job["metadata"]["name"]
    assert set(job["spec"]) <= {"runPolicy", "successPolicy", "tfReplicaSpecs", "enableDynamicWorker"}
    assert job["spec"]["runPolicy"]["cleanPodPolicy"] in ("All", "Running", "None")
    (kind, worker), *others = job["spec"]["tfReplicaSpecs"].items()
    assert kind == "Worker" and not others and set(worker) == {"replicas", "restartPolicy", "template"}
    assert worker["replicas"] == 2 and worker["restartPolicy"] in ("Always", "OnFailure", "Never", "ExitCode")
    (container,) = worker["template"]["spec"]["containers"]
    (port,) = container["ports"]
    assert (container["name"], port["name"], port["containerPort"]) == ("tensorflow", "tfjob-port", 2222)
    (volume,) = worker["template"]["spec"]["volumes"]
    (mount,) = container["volumeMounts"]
    script, flag, out = container["command"][1:]
    assert volume["name"] == mount["name"] and flag == "--out" and out.startswith(mount["mountPath"])
    assert (CLUSTER.parents[1] / Path(script).relative_to("/mmkeras")).is_file()


@pytest.mark.parametrize("failures", [0, 1])
def test_the_slurm_script_makes_tf_config_and_starts_again(tmp_path, failures):
    """With stand-ins for Slurm's commands and Python."""
    stand_ins = {
        "scontrol": "printf 'a1\\na2\\n'",
        "sleep": "",
        "srun": f'echo x >> {tmp_path}/tries; [ "$(wc -l < {tmp_path}/tries)" -le {failures} ] && exit 1\n'
        'for i in 0 1; do SLURM_PROCID=$i "${@:2}" || exit 1; done',
        "python": f'echo "$TF_CONFIG" >> {tmp_path}/configs; echo "$@" >> {tmp_path}/commands',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    told = {"SLURM_JOB_NODELIST": "a[1-2]", "SLURM_JOB_ID": "71234", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", CLUSTER / "train.sbatch", "--out", "/shared/a run"]
    subprocess.run(command, env=os.environ | told, check=True, stderr=subprocess.DEVNULL)
    configs = [json.loads(line) for line in (tmp_path / "configs").read_text().splitlines()]
    workers = {"worker": ["a1:21234", "a2:21234"]}
    assert configs == [{"cluster": workers, "task": {"type": "worker", "index": i}} for i in range(2)]
    assert (tmp_path / "commands").read_text() == "recipes/cluster/train.py --out /shared/a run\n" * 2
    assert len((tmp_path / "tries").read_text().split()) == failures + 1


def test_the_readme_names_every_file():
    text = (CLUSTER / "README.md").read_text()
    files = [path.name for path in CLUSTER.iterdir() if path.is_file() and path.name != "README.md"]
    assert [name for name in files if f"]({name})" not in text] == []
