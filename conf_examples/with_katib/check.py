"""Hold an Experiment against Katib's own models: every key known, every value of its type. No cluster is needed.

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
