"""A flow that fits a curve, and tells its error. Its steps take one config, which is its parameter."""

from metaflow import FlowSpec, JSONType, Parameter, step
from model import error, fit


class Curve(FlowSpec):
    config = Parameter("config", type=JSONType, required=True)

    @step
    def start(self):
        self.weights = fit(self.config)
        self.next(self.end)

    @step
    def end(self):
        self.metrics = {"error": error(self.config, self.weights)}


if __name__ == "__main__":
    Curve()
