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
print(f"run {best['number']} is a {best['params']['model']}")
print("it reads", *pipeline.predict(load_digits().data[:10]))
