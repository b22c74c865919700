"""Read an Experiment with Katib's own models: is every key known, and each value of its type?

Usage:
    python check.py experiment.yaml
"""

import sys
from pathlib import Path

import yaml
from kubeflow_katib_api.models import V1beta1Experiment

file = sys.argv[1]
written = yaml.safe_load(Path(file).read_text())
read = V1beta1Experiment.from_dict(written).to_dict()
if read != written:  # the models pass over what they do not know
    sys.exit(f"{file}: Katib reads something else: {read}")
spec = written["spec"]
print(f"{file}: {len(spec['parameters'])} parameters, {spec['maxTrialCount']} trials, as Katib has them")
