"""Read digits with the pipeline of a sweep's best run.

Usage:
    sweeper best last --json | python predict.py
"""

import json
import sys

import joblib
from sklearn.datasets import load_digits

best = json.load(sys.stdin)[0]
pipeline = joblib.load(f"{best['directory']}/pipeline.joblib")
images, digits = load_digits(return_X_y=True)
print(f"run {best['number']}, {best['params']['model']}")
print(f"reads {pipeline.score(images, digits):.1%} of what it was fitted on")
