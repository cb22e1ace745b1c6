"""The files of recipes/serving: their form, and that they agree with each other and with the exports."""

from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SERVING = ROOT / "recipes" / "serving"
NAME = "quickstart"


def documents(name):
    return list(yaml.safe_load_all((SERVING / name).read_text()))


def test_compose_mounts_what_its_flags_name():
    (compose,) = documents("compose.yaml")
    service = compose["services"]["serving"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert [volume.split(":")[-2] for volume in service["volumes"]] == ["/models", "/config"]
    files = [flag.partition("=/config/")[2] for flag in service["command"] if "=/config/" in flag]
    assert sorted(files) == sorted(path.name for path in SERVING.glob("*.config"))


def test_models_and_labels_are_read_by_the_proto_of_tf_serving():
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = text_format.Parse((SERVING / "models.config").read_text(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert model.base_path == f"/models/{NAME}" and dict(model.version_labels) == {"stable": 1}


def test_kubernetes_and_kserve_name_one_model_and_one_claim():
    deployment, service = documents("kubernetes.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    (mount,) = container["volumeMounts"]
    assert f"--model_base_path={mount['mountPath']}/{NAME}" in container["args"] and volume["name"] == mount["name"]
    assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports
    assert container["readinessProbe"]["httpGet"] == {"path": f"/v1/models/{NAME}", "port": "rest"}
    (kserve,) = documents("kserve.yaml")
    claim = volume["persistentVolumeClaim"]["claimName"]
    assert kserve["spec"]["predictor"]["model"]["storageUri"] == f"pvc://{claim}/{NAME}"


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml", "kserve.yaml"])
def test_the_server_is_of_the_tensorflow_that_exports(name):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # On newer versions of Python, a newer TensorFlow is installed.
    every = [Requirement(each) for each in project["dependencies"]]
    (ours,) = [each for each in every if each.name == "tensorflow" and each.marker.evaluate({"python_version": "3.11"})]
    text = (SERVING / name).read_text()
    assert f"tensorflow/serving:{_minor(ours)}." in text or f"runtimeVersion: {_minor(ours)}." in text


def _minor(requirement):
    (specifier,) = requirement.specifier
    return specifier.version.rpartition(".")[0]


def test_the_readme_names_every_file():
    text = (SERVING / "README.md").read_text()
    assert [path.name for path in SERVING.iterdir() if path.name != "README.md" and f"]({path.name})" not in text] == []
